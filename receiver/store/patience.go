package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// The longest pause between two tries doubles from minPause to maxPause. They are short
// beside the seconds for which a sender waits, and long enough for thousands of
// requests to wait at a time.
const (
	minPause = 50 * time.Millisecond
	maxPause = 400 * time.Millisecond
)

// Patience says for how long a step is tried again that Redis did not take because it
// can't be reached, restarts or fails over. The zero value: it is tried once.
//
// All tries of a step are one to the scripts: each recognises what an earlier one has
// done whose reply was lost.
type Patience struct {
	// Until is when the last try ends. The first one has the store's timeout in any case.
	Until time.Time
	// Again is called before the second try; nil: nobody wants to know.
	Again func()
}

// bound bounds all tries together, of a step that sends so many bytes.
func (s *Store) bound(ctx context.Context, p Patience, bytes int64) (context.Context, context.CancelFunc) {
	end := time.Now().Add(s.timeout + s.wait.longest() + transferTime(bytes))
	if p.Until.After(end) {
		end = p.Until
	}
	return context.WithDeadline(ctx, end)
}

// persist calls try until its error is final, or there is no time for another try.
func (p Patience) persist(ctx context.Context, try func() error) error {
	for tries := 1; ; tries++ {
		err := try()
		if err == nil || !mayPass(err) {
			return err
		}
		rest := jittered(tries)
		if time.Until(p.Until) <= rest {
			return err
		}
		if tries == 1 && p.Again != nil {
			p.Again()
		}
		if pause(ctx, rest) != nil {
			return err
		}
	}
}

// mayPass reports whether a moment later the same try may succeed. A full Redis, a full
// queue, or a copy in flight don't pass so soon.
func mayPass(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnconfirmed)
}

// jittered returns the pause after so many tries, between a half and the whole of its
// bound.
func jittered(tries int) time.Duration {
	bound := min(minPause<<min(tries-1, 8), maxPause)
	return bound/2 + rand.N(bound/2) //nolint:gosec // keeps no secret
}
