package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

const (
	// replaySlice is how long a replay works until its status says how far it has
	// come. So there is about one write a second, and a crash loses no more than a
	// second of the counts.
	replaySlice = time.Second
	// replayPage is how many dead letters are read at a time.
	replayPage = 200
	// reviveConcurrency is how many of them are handed over at a time; the store
	// groups what it is asked for at one time.
	reviveConcurrency = 32
)

// replayedTotal is one for all managers of the process, as their registry is.
var replayedTotal = promauto.With(metrics.Registry).NewCounter(prometheus.CounterOpts{
	Namespace: "sallyport", Name: "replayed_total", Help: "Dead letters that WebhookReplays have handed to the receivers again.",
})

// progress is what one step of a replay has done.
type progress struct {
	// reason of the condition Complete, as long as it is false.
	reason string
	// over: there is nothing left to do; at says since when.
	over bool
	at   time.Time
	// cursor is where the next step begins; zero: where this one did.
	cursor cursor

	matched, replayed, failed int64
}

// stalls reports whether the replay waits for a person.
func (p progress) stalls() bool {
	return p.reason == v1alpha1.ReasonRedisNotConfigured || p.reason == v1alpha1.ReasonEndpointNotFound
}

// started is the first step of a replay. It is saved before the first dead letter is read:
// the replay leaves out what is dead-lettered again after this time.
func started(now time.Time) progress {
	return progress{reason: v1alpha1.ReasonReplaying, at: now, cursor: cursor{start: now}}
}

// cursor is how far a replay has come in the dead letters.
type cursor struct {
	// start of the replay, to the millisecond: later dead letters are left out.
	start time.Time
	// next continues the query; "": from the beginning.
	next string
}

// String is what the status keeps: "<start in ms>/<next>".
func (c cursor) String() string {
	return strconv.FormatInt(c.start.UnixMilli(), 10) + "/" + c.next
}

// cursorOf reads the cursor of a replay that has started. One that can't be read stands for
// the beginning: what was revived is no dead letter any more, so nothing is done twice.
func cursorOf(status v1alpha1.WebhookReplayStatus) cursor {
	start, next, _ := strings.Cut(status.Cursor, "/")
	ms, err := strconv.ParseInt(start, 10, 64)
	if err != nil {
		return cursor{start: status.StartTime.Time}
	}
	return cursor{start: time.UnixMilli(ms), next: next}
}

// handOver hands dead letters to the receivers until a slice of time is over, or
// there are no more. The progress counts also with an error.
func (r *WebhookReplayReconciler) handOver(ctx context.Context, replay *v1alpha1.WebhookReplay, endpoint *v1alpha1.WebhookEndpoint) (progress, error) {
	done := progress{reason: v1alpha1.ReasonReplaying, cursor: cursorOf(replay.Status)}
	record := func(l store.DeadLetter) { r.Audit.Record(recordOf(l, replay, endpoint, r.Store.Now())) }
	for began := r.Now(); !done.over && ctx.Err() == nil && r.Now().Sub(began) < replaySlice; {
		query, more := nextQuery(replay, done)
		if more {
			switch err := r.handOverPage(ctx, query, &done, record); {
			case err != nil && ctx.Err() != nil:
				return done, nil //nolint:nilerr // this manager ends, and another goes on
			case err != nil:
				done.reason = v1alpha1.ReasonRedisUnavailable
				return done, err
			}
		}
		if !more || done.cursor.next == "" {
			done.over, done.at = true, r.Store.Now()
		}
	}
	return done, nil
}

// nextQuery makes the query for the next page of what the selector selects; false: the
// limit is reached.
func nextQuery(replay *v1alpha1.WebhookReplay, done progress) (query store.DeadQuery, more bool) {
	var selector v1alpha1.ReplaySelector
	if replay.Spec.Selector != nil {
		selector = *replay.Spec.Selector
	}
	query = store.DeadQuery{
		Endpoint:      endpointOf(replay).String(),
		GivenUpBefore: done.cursor.start,
		Types:         selector.Types,
		IDs:           selector.EventIDs,
		Limit:         replayPage,
		Continue:      done.cursor.next,
	}
	if selector.Since != nil {
		query.Since = selector.Since.Time
	}
	if selector.Until != nil {
		query.Until = selector.Until.Time
	}
	if selector.Limit == nil {
		return query, true
	}
	left := *selector.Limit - replay.Status.Replayed - done.replayed
	query.Limit = int(min(replayPage, left))
	return query, left > 0
}

// handOverPage hands over one page. After an error the page is read again: what was
// revived is not in it any more, and the rest is counted then.
func (r *WebhookReplayReconciler) handOverPage(ctx context.Context, query store.DeadQuery, done *progress, record func(store.DeadLetter)) error {
	page, err := r.Store.DeadLetters(ctx, query)
	if errors.Is(err, store.ErrContinue) {
		// Another version wrote the cursor, or somebody edited it. Start from the
		// beginning: what was revived is no dead letter any more.
		query.Continue = ""
		page, err = r.Store.DeadLetters(ctx, query)
	}
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	revived, fenced, err := r.reviveAll(ctx, page.Letters[:min(query.Limit, len(page.Letters))], record)
	done.replayed += revived
	done.failed += fenced
	done.matched += revived + fenced
	if err != nil {
		return fmt.Errorf("revive a dead letter: %w", err)
	}
	done.matched += int64(page.Unreadable)
	done.failed += int64(page.Unreadable)
	done.cursor.next = page.Continue
	return nil
}

// reviveAll revives letters side by side and records each. It counts those that are
// revived and those that are no dead letters any more, and stops at the first error
// of Redis, or when ctx ends. It finishes those that it has begun, so that they count.
func (r *WebhookReplayReconciler) reviveAll(ctx context.Context, letters []store.DeadLetter, record func(store.DeadLetter)) (revived, fenced int64, err error) {
	var (
		next, alive, gone atomic.Int64
		failure           atomic.Pointer[error]
		running           sync.WaitGroup
	)
	revive := func(l store.DeadLetter) {
		switch err := r.Store.Revive(context.WithoutCancel(ctx), l); {
		case err == nil:
			alive.Add(1)
			replayedTotal.Inc()
			record(l)
		case errors.Is(err, store.ErrFenced):
			gone.Add(1)
		default:
			failure.CompareAndSwap(nil, &err)
		}
	}
	for range min(reviveConcurrency, len(letters)) {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(letters)) && failure.Load() == nil && ctx.Err() == nil; i = next.Add(1) - 1 {
				revive(letters[i])
			}
		})
	}
	running.Wait()
	if first := failure.Load(); first != nil {
		return alive.Load(), gone.Load(), *first
	}
	return alive.Load(), gone.Load(), ctx.Err()
}

// recordOf is the audit record of a letter that was revived.
func recordOf(l store.DeadLetter, replay *v1alpha1.WebhookReplay, endpoint *v1alpha1.WebhookEndpoint, now time.Time) audit.Record {
	r := audit.Of(l.Event.Meta, audit.Replayed, now)
	r.EndpointUID = string(endpoint.UID) // it may have been made anew since
	r.ErrorMessage = "replayed by WebhookReplay " + client.ObjectKeyFromObject(replay).String()
	r.Target = targetName(endpoint, l.Target)
	return r
}

// targetName is the target of a delivery as audit records have it: "" for a route
// that the endpoint doesn't have any more.
func targetName(endpoint *v1alpha1.WebhookEndpoint, name string) string {
	target := endpoint.Spec.Target
	if name != "" {
		i := slices.IndexFunc(endpoint.Spec.Routes, func(r v1alpha1.EventRoute) bool { return r.Name == name })
		if i < 0 {
			return ""
		}
		target = &endpoint.Spec.Routes[i].Target
	}
	if target == nil {
		return ""
	}
	return fmt.Sprintf("%s/%s:%s", endpoint.Namespace, target.Service.Name, target.Service.Port.String())
}
