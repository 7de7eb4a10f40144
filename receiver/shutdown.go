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

// shutdown ends the parts of the receiver within the grace, each before the parts
// that it uses:
//
//  1. /readyz fails, so that no new senders are sent here; see lameDuck.
//  2. The server for webhooks takes no new requests, and answers those in flight.
//     They get half of the grace, because deliveries need some, too, and those that
//     wait for Redis somewhat less, so that they are answered.
//  3. The Lease object is deleted: nothing is served any more.
//  4. The dispatcher ends its attempts and gives its leases back, so that other
//     receivers deliver at once what was accepted here.
//  5. Watches, probes of Redis and Events end. The audit log and the journal are
//     written to their ends, since nothing is recorded any more.
//  6. The connections to Redis and the admin server are closed.
//
// If a step fails, the next ones are taken all the same.
func (r *receiver) shutdown(heartbeat, delivery, rest *background) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.ShutdownGrace)
	defer cancel()
	r.options.Logger.Info("receiver shuts down", "grace", r.options.ShutdownGrace.String())
	r.ready.shuttingDown.Store(true)
	return errors.Join(
		r.finishRequests(ctx),
		heartbeat.stop(ctx),
		r.dispatcher.Shutdown(ctx),
		delivery.stop(ctx),
		rest.stop(ctx),
		r.auditLog.Close(ctx),
		r.journal.Close(ctx),
		r.store.Close(),
		r.admin.shutdown(ctx),
	)
}

// lameDuck keeps serving for the ShutdownDelay while /readyz fails, so that load
// balancers stop sending here. Each answer closes its connection: otherwise a proxy
// could send a request over a kept connection just when the server closes it, and
// the sender would get no answer.
func (r *receiver) lameDuck() {
	r.ready.shuttingDown.Store(true)
	time.Sleep(r.options.ShutdownDelay)
}

// closeAfterAnswer closes each connection after its answer while the receiver shuts
// down.
type closeAfterAnswer struct {
	next         http.Handler
	shuttingDown *atomic.Bool
}

// ServeHTTP implements http.Handler.
func (c closeAfterAnswer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.shuttingDown.Load() {
		w.Header().Set("Connection", "close")
	}
	c.next.ServeHTTP(w, r)
}

func (r *receiver) finishRequests(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.options.ShutdownGrace/2)
	defer cancel()
	defer time.AfterFunc(r.options.ShutdownGrace*2/5, r.handler.StopWaiting).Stop()
	return r.webhooks.shutdown(ctx)
}
