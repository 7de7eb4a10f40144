package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Journal keeps what a running part reports, in order, and lets others wait for
// it. It is safe for concurrent use. Make one by NewJournal.
type Journal[T any] struct {
	mu      sync.Mutex
	entries []T
	grown   chan struct{} // closed and replaced when an entry comes
}

// NewJournal returns an empty Journal.
func NewJournal[T any]() *Journal[T] { return &Journal[T]{grown: make(chan struct{})} }

// Add appends an entry.
func (j *Journal[T]) Add(entry T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
	close(j.grown)
	j.grown = make(chan struct{})
}

// All returns what has come so far.
func (j *Journal[T]) All() []T {
	entries, _ := j.since(0)
	return entries
}

// Matching returns those of the entries so far that match.
func (j *Journal[T]) Matching(match func(T) bool) []T {
	return slices.DeleteFunc(j.All(), func(entry T) bool { return !match(entry) })
}

// Await returns the first entry that matches, past or future. The error says
// that ctx ended before one came, and what came instead.
func (j *Journal[T]) Await(ctx context.Context, match func(T) bool) (T, error) {
	matches, err := j.AwaitN(ctx, 1, match)
	if err != nil {
		var none T
		return none, err
	}
	return matches[0], nil
}

// AwaitN is Await for the first n entries that match.
func (j *Journal[T]) AwaitN(ctx context.Context, n int, match func(T) bool) ([]T, error) {
	var matches []T
	for seen := 0; ; {
		fresh, grown := j.since(seen)
		seen += len(fresh)
		for _, entry := range fresh {
			if match(entry) {
				matches = append(matches, entry)
			}
		}
		if len(matches) >= n {
			return matches[:n], nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of the %d entries that were waited for came: %w; the last of all: %s",
				len(matches), n, ctx.Err(), j.tail(5))
		}
	}
}

func (j *Journal[T]) since(n int) (fresh []T, grown <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries[n:]), j.grown
}

func (j *Journal[T]) tail(n int) string {
	entries := j.All()
	if len(entries) == 0 {
		return "(none came)"
	}
	lines := make([]string, 0, n)
	for _, entry := range entries[max(0, len(entries)-n):] {
		lines = append(lines, fmt.Sprintf("%+v", entry))
	}
	return "\n\t" + strings.Join(lines, "\n\t")
}
