package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// background are goroutines that end together.
type background struct {
	cancel context.CancelFunc
	ctx    context.Context
	group  sync.WaitGroup
}

func newBackground() *background {
	ctx, cancel := context.WithCancel(context.Background())
	return &background{ctx: ctx, cancel: cancel}
}

func (b *background) run(f func(context.Context)) { b.group.Go(func() { f(b.ctx) }) }

// stop ends all and waits, at most until ctx ends.
func (b *background) stop(ctx context.Context) error {
	b.cancel()
	done := make(chan struct{})
	go func() { b.group.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("background work did not end: %w", ctx.Err())
	}
}

// run starts all parts and waits for the end of ctx, or of a server.
func (r *receiver) run(ctx context.Context) error {
	// Nothing here stops with ctx itself: drain decides the order.
	lease, delivery, rest := newBackground(), newBackground(), newBackground()
	rest.run(r.watcher.Run)
	rest.run(r.ready.redis.run)
	rest.run(r.events.Run)
	delivery.run(r.deliver)
	lease.run(r.lease.run)
	r.admin.serve()
	r.webhooks.serve()

	var failed error
	select {
	case <-ctx.Done():
		r.linger()
	case failed = <-r.webhooks.failed:
	case failed = <-r.admin.failed:
	}
	return errors.Join(failed, r.drain(lease, delivery, rest))
}

// drain takes the receiver apart within the grace, in the one order in which
// nothing is used after it has ended:
//
//  1. /readyz fails, so that no new senders are sent here; see linger.
//  2. The server for webhooks takes no more; requests in flight are answered.
//     They get half of the grace, because deliveries need some, too.
//  3. The Lease goes, since nothing is served any more.
//  4. The dispatcher ends its attempts and hands its leases back, so that other
//     receivers deliver at once what was accepted here.
//  5. Watches, probes of Redis and Events end; the audit log and the journal are
//     written to their ends: nothing records any more.
//  6. Redis and the admin server are let go.
//
// A step that fails does not keep the others from being taken.
func (r *receiver) drain(lease, delivery, rest *background) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.ShutdownGrace)
	defer cancel()
	r.options.Log.Info("receiver drains", "grace", r.options.ShutdownGrace.String())
	r.ready.draining.Store(true)
	return errors.Join(
		r.finishRequests(ctx),
		lease.stop(ctx),
		r.dispatcher.Shutdown(ctx),
		delivery.stop(ctx),
		rest.stop(ctx),
		r.auditLog.Close(ctx),
		r.journal.Close(ctx),
		r.store.Close(),
		r.admin.shutdown(ctx),
	)
}

// linger says farewell for the delay: /readyz fails, requests are still taken,
// and each answer ends its connection, so that a proxy that keeps connections
// opens the next one to another receiver. Without that, a request on its way
// over a kept connection meets its end, and the sender gets no answer.
func (r *receiver) linger() {
	r.ready.draining.Store(true)
	time.Sleep(r.options.ShutdownDelay)
}

// parting has answers end their connections while the receiver drains.
type parting struct {
	next     http.Handler
	draining *atomic.Bool
}

// ServeHTTP implements http.Handler.
func (p parting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	p.next.ServeHTTP(w, r)
}

func (r *receiver) finishRequests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.options.ShutdownGrace/2)
	defer cancel()
	return r.webhooks.shutdown(ctx)
}
