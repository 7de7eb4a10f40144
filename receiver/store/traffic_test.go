package store

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// traffic are senders that post events until they are stopped. Each sends an
// event again and again until it is acknowledged, as providers do.
type traffic struct {
	s      *Store
	name   string
	cancel context.CancelFunc
	all    sync.WaitGroup
	count  atomic.Int64 // acknowledged

	mu     sync.Mutex
	acked  map[string]time.Time // when, by event id
	errors map[string]int
}

// startTraffic lets n senders post events of size bytes. Those that keep
// reports true of are posted, all if it is nil.
func startTraffic(t *testing.T, s *Store, name string, n, size int, keep func(id string) bool) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tr := &traffic{s: s, name: name, cancel: cancel, acked: map[string]time.Time{}, errors: map[string]int{}}
	t.Cleanup(tr.stop)
	body := make([]byte, size)
	for sender := range n {
		tr.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if id := fmt.Sprintf("%s-%d-%d", name, sender, i); keep == nil || keep(id) {
					tr.send(ctx, id, body)
				}
			}
		})
	}
	return tr
}

// send posts one event until it is acknowledged.
func (tr *traffic) send(ctx context.Context, id string, body []byte) {
	e := sampleEvent("team/hooks", id)
	e.Body = body
	for ctx.Err() == nil {
		_, _, err := tr.s.Accept(ctx, e, testOptions)
		tr.mu.Lock()
		if err == nil {
			tr.acked[id] = time.Now()
			tr.count.Add(1)
			tr.mu.Unlock()
			return
		}
		tr.errors[err.Error()]++
		tr.mu.Unlock()
		time.Sleep(5 * time.Millisecond) // a sender waits, too
	}
}

// await waits until n more events are acknowledged.
func (tr *traffic) await(t *testing.T, n int64) {
	t.Helper()
	before := tr.count.Load()
	redistest.Await(t, time.Minute, fmt.Sprintf("%d more events of %s are acknowledged", n, tr.name), func() error {
		more := tr.count.Load() - before
		if more < n {
			tr.mu.Lock()
			defer tr.mu.Unlock()
			return fmt.Errorf("%d are; errors so far: %v", more, tr.errors)
		}
		return nil
	})
}

// firstAfter returns how long after since the next event was acknowledged. The
// senders must have been stopped.
func (tr *traffic) firstAfter(since time.Time) time.Duration {
	first := time.Duration(math.MaxInt64)
	for _, at := range tr.acked {
		if at.After(since) {
			first = min(first, at.Sub(since))
		}
	}
	return first.Round(time.Millisecond)
}

// met counts the answers that were errors with a text.
func (tr *traffic) met(text string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	n := 0
	for err, count := range tr.errors {
		if strings.Contains(err, text) {
			n += count
		}
	}
	return n
}

// stop ends all senders and waits for them.
func (tr *traffic) stop() {
	tr.cancel()
	tr.all.Wait()
}

// lost counts the acknowledged events that are not stored any more: a copy of
// them is new. The senders must have been stopped.
func (tr *traffic) lost(t *testing.T, with *Store) int {
	t.Helper()
	var checks sync.WaitGroup
	var lost atomic.Int64
	slots := make(chan struct{}, 64)
	for id := range tr.acked {
		slots <- struct{}{}
		checks.Go(func() {
			defer func() { <-slots }()
			outcome, _, err := with.Accept(t.Context(), sampleEvent("team/hooks", id), testOptions)
			switch {
			case err != nil:
				t.Errorf("a copy of %s: %v", id, err)
			case outcome == Accepted:
				lost.Add(1)
			}
		})
	}
	checks.Wait()
	return int(lost.Load())
}
