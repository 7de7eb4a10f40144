package main

import (
	"fmt"
	"slices"
	"testing"
)

// standIn is as much of a testing.TB as redistest needs, for a program that is
// no test.
type standIn struct {
	testing.TB
	cleanups []func()
}

// Helper implements testing.TB.
func (*standIn) Helper() {}

// Cleanup implements testing.TB.
func (s *standIn) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// Fatalf implements testing.TB. Without Redis there is nothing to measure.
func (*standIn) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// cleanup runs what was registered, the last first.
func (s *standIn) cleanup() {
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
}
