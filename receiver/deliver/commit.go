package deliver

import (
	"context"
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// commitBackoff and maxCommitBackoff bound the pause before a decision is written
// again while the log is away: until the lease ends, since before that nobody else
// makes the delivery again.
const (
	commitBackoff    = 200 * time.Millisecond
	maxCommitBackoff = 2 * time.Second
)

// commit writes a decision to the log and reports whether it is there now.
func (w *workers) commit(j *job, d decision) bool {
	switch d.action {
	case finish:
		return w.write(j, "record a delivery", func(ctx context.Context) error { return w.Store.Delivered(ctx, j.lease) })
	case retry:
		return w.write(j, "schedule a retry", func(ctx context.Context) error { return w.Store.Retry(ctx, j.lease, d.at, d.failure) })
	case deadLetter:
		return w.write(j, "keep a dead letter", func(ctx context.Context) error { return w.Store.DeadLetter(ctx, j.lease, d.failure) })
	case hold:
		return w.write(j, "hold a delivery", func(ctx context.Context) error { return w.Store.Hold(ctx, j.lease, j.event.Endpoint, j.since()) })
	}
	w.release(context.WithoutCancel(w.ctx), j.lease)
	return true
}

// write calls the log, again while it is away, until the lease ends. It goes on
// during a shutdown: what was done has to be known.
func (w *workers) write(j *job, doing string, do func(context.Context) error) bool {
	for pause := commitBackoff; ; pause = min(2*pause, maxCommitBackoff) {
		err := do(context.WithoutCancel(w.ctx))
		if err == nil {
			return true
		}
		if errors.Is(err, store.ErrFenced) || !w.Store.Now().Before(j.lease.Until) {
			w.lost(err, doing, j)
			return false
		}
		w.metrics.redisErrors.Inc()
		select {
		case <-time.After(pause):
		case <-w.ctx.Done():
			w.lost(err, doing, j)
			return false
		}
	}
}

// lost counts and logs that a delivery could not be written or renewed. The receiver that
// has its lease, or claims it later, goes on.
func (w *workers) lost(err error, doing string, j *job) {
	w.metrics.lost(err)
	if errors.Is(err, store.ErrFenced) {
		return
	}
	w.Logger.Error("an operation on redis failed; the delivery is made again when its lease ends",
		"operation", doing, "endpoint", j.event.Endpoint, "eventId", j.event.ID, "error", err)
}
