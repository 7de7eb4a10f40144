package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

const (
	// retentionEvery is the time between two looks for dead letters that are too old.
	retentionEvery = time.Minute
	// retentionBatch is how many are removed before anything else is looked at.
	retentionBatch = 100
	// maxRetentionBackoff bounds the pause while the log is away.
	maxRetentionBackoff = 10 * time.Minute
)

// retainer removes dead letters that are older than they may be, and makes the log
// check what it has counted. All receivers do it: the jitter keeps them apart, and
// each dead letter goes, and is recorded, once.
type retainer struct{ *core }

func (r retainer) loop() loop {
	return loop{core: r.core, doing: "look for dead letters that are too old", do: r.retain, longest: maxRetentionBackoff}
}

// retain looks once and returns how long to sleep.
func (r retainer) retain(ctx context.Context) (time.Duration, error) {
	wait := r.RetentionEvery/2 + time.Duration(random(int64(r.RetentionEvery)))
	if err := r.recount(ctx); err != nil {
		return wait, err
	}
	for ctx.Err() == nil && r.DeadLetterRetention > 0 {
		full, err := r.expire(ctx)
		if err != nil || !full {
			return wait, err
		}
	}
	return wait, nil
}

func (r retainer) recount(ctx context.Context) error {
	counted, err := r.Store.Recount(ctx)
	if err == nil {
		r.metrics.bytes.Set(float64(counted.Bytes))
	}
	if counted.Mended > 0 || counted.Crowded > 0 {
		r.Logger.Info("what endpoints have stored was not counted right, as after an update or when events were deleted by hand",
			"partitionsCountedAnew", counted.Mended, "partitionsTooFullForIt", counted.Crowded)
	}
	return err
}

// expire removes a batch of dead letters that are too old. full: there may be more.
func (r retainer) expire(ctx context.Context) (full bool, err error) {
	now := r.Store.CertainNow()
	letters, err := r.Store.ExpiredDeadLetters(ctx, now.Add(-r.DeadLetterRetention), retentionBatch)
	if err != nil {
		return false, err
	}
	for i := range letters {
		err := r.Store.Purge(ctx, letters[i])
		if errors.Is(err, store.ErrFenced) {
			continue // revived, or another receiver was faster
		}
		if err != nil {
			return false, err
		}
		r.metrics.expired.Inc()
		r.record(&letters[i], now)
	}
	return len(letters) == retentionBatch, nil
}

// record says that a dead letter is gone for ever, and why.
func (r retainer) record(l *store.DeadLetter, now time.Time) {
	age := now.Sub(l.DeadLetteredTime)
	message := fmt.Sprintf("given up %s ago, and dead letters are kept for %s", age.Round(time.Second), r.DeadLetterRetention)
	if l.Failure.Error != "" {
		message += ": " + l.Failure.Error
	}
	to, _ := r.routeTo(targetID{l.Event.Endpoint, l.Target}, now)
	record := audit.Of(l.Event.Meta, audit.Expired, r.Store.Now())
	record.ErrorMessage, record.Attempt, record.Target = message, l.Failure.Attempts, targetName(to.Target)
	r.Audit.Record(record)
	r.Logger.Warn("a dead letter is too old and was removed", "endpoint", l.Event.Endpoint, "eventId", l.Event.ID,
		"route", l.Target, "deadLetteredTime", l.DeadLetteredTime)
}
