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

// retain removes dead letters that are older than they may be, and has the log look
// whether it counts right, until ctx ends. No error ends it. All receivers do it:
// the jitter keeps them apart, and each dead letter goes, and is recorded, once.
func (d *Dispatcher) retain(ctx context.Context) {
	failures := 0
	for {
		every := d.o.RetentionEvery
		wait := every/2 + time.Duration(random(int64(every)))
		if err := d.retainOnce(ctx); err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			failures++
			d.loopFailed(err, "look for dead letters that are too old", failures)
			wait = min(wait<<min(failures-1, 8), maxRetentionBackoff)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// retainOnce looks once.
func (d *Dispatcher) retainOnce(ctx context.Context) error {
	if err := d.recount(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil && d.o.DeadLetterRetention > 0 {
		full, err := d.expireDead(ctx)
		if err != nil || !full {
			return err
		}
	}
	return nil
}

func (d *Dispatcher) recount(ctx context.Context) error {
	counted, err := d.o.Store.Recount(ctx)
	if counted.Mended > 0 || counted.Crowded > 0 {
		d.o.Log.Info("what endpoints have stored was not counted right, as after an update or when events were deleted by hand",
			"partitionsCountedAnew", counted.Mended, "partitionsTooFullForIt", counted.Crowded)
	}
	return err
}

// expireDead removes a batch of dead letters that are too old. full: there may be
// more.
func (d *Dispatcher) expireDead(ctx context.Context) (full bool, err error) {
	now := d.o.Store.Now()
	letters, err := d.o.Store.ExpiredDeadLetters(ctx, now.Add(-d.o.DeadLetterRetention), retentionBatch)
	if err != nil {
		return false, err
	}
	for i := range letters {
		err := d.o.Store.Purge(ctx, letters[i])
		if errors.Is(err, store.ErrFenced) {
			continue // revived, or another receiver was faster
		}
		if err != nil {
			return false, err
		}
		d.metrics.expired.Inc()
		d.recordExpired(&letters[i], now)
	}
	return len(letters) == retentionBatch, nil
}

// recordExpired says that a dead letter is gone for ever, and why.
func (d *Dispatcher) recordExpired(l *store.DeadLetter, now time.Time) {
	age := now.Sub(l.DeadLetteredTime)
	message := fmt.Sprintf("given up %s ago, and dead letters are kept for %s", age.Round(time.Second), d.o.DeadLetterRetention)
	if l.Failure.Error != "" {
		message += ": " + l.Failure.Error
	}
	r, _ := d.routeTo(laneKey{l.Event.Endpoint, l.Target})
	d.o.Audit.Record(audit.Record{
		Time:              d.o.Store.Now(),
		Endpoint:          l.Event.Endpoint,
		EndpointUID:       l.Event.EndpointUID,
		Provider:          l.Event.Provider,
		EventID:           l.Event.ID,
		EventType:         l.Event.Type,
		ReceivedAt:        l.Event.ReceivedAt,
		SignatureVerified: true,
		RequestID:         l.Event.RequestID,
		Status:            audit.Expired,
		ErrorMessage:      message,
		SourceIP:          l.Event.SourceIP,
		BodyBytes:         l.BodyBytes,
		Attempt:           l.Failure.Attempts,
		Target:            targetName(r.Target),
	})
	d.o.Log.Warn("a dead letter is too old and was removed", "endpoint", l.Event.Endpoint, "eventId", l.Event.ID,
		"route", l.Target, "deadLetteredTime", l.DeadLetteredTime)
}
