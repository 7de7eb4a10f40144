package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"sallyport.dev/sallyport/test/redistest"
)

// standIn is a redistest.TB for a program that is no test.
type standIn struct {
	ctx      context.Context
	cleanups []func()
}

var _ redistest.TB = (*standIn)(nil)

// newStandIn makes one whose servers are looked for until ctx ends. They run until
// cleanup is called.
func newStandIn(ctx context.Context) *standIn { return &standIn{ctx: ctx} }

// Context implements redistest.TB.
func (s *standIn) Context() context.Context { return s.ctx }

// Helper implements redistest.TB.
func (*standIn) Helper() {}

// Cleanup implements redistest.TB.
func (s *standIn) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// TempDir implements redistest.TB.
func (s *standIn) TempDir() string {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		s.Fatalf("make a directory: %v", err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// failure is what a benchmark ends with when it can't have what it needs.
type failure string

// Error implements error.
func (f failure) Error() string { return string(f) }

// Fatal implements redistest.TB.
func (*standIn) Fatal(args ...any) { panic(failure(fmt.Sprint(args...))) }

// Fatalf implements redistest.TB. Without Redis there is nothing to measure.
func (*standIn) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// cleanup runs what was registered, the last first.
func (s *standIn) cleanup() {
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
}
