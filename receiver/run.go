package receiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"sallyport.dev/sallyport/internal/buildinfo"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/intake"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// receiver holds all parts of a running receiver.
type receiver struct {
	options Options

	watcher    *route.Watcher
	heartbeat  *heartbeat
	store      *store.Store
	dispatcher *deliver.Dispatcher
	auditLog   *audit.Log
	journal    *audit.Journal
	events     *audit.Events
	ready      *readiness
	handler    *intake.Handler

	webhooks, admin *server
}

// Run receives and delivers webhooks until ctx ends, then shuts down and returns nil.
// It starts even if Redis or the API server is away. The error is an ErrOptions, an
// address that can't be listened on, or a shutdown that was not complete within its
// grace.
func Run(ctx context.Context, o Options) error {
	r, err := assemble(o)
	if err != nil {
		return err
	}
	r.options.Logger.Info("receiver starts", "identity", o.Identity, "listen", r.webhooks.listener.Addr().String(),
		"admin", r.admin.listener.Addr().String(), "routeNamespace", o.RouteNamespace)
	err = r.run(ctx)
	r.options.Logger.Info("receiver ends", "error", err)
	return err
}

// assemble makes all parts. It starts only those that wait for work.
func assemble(o Options) (*receiver, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildinfo.Collector())
	client, err := kubernetes.NewForConfig(unthrottled(o.Kubernetes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	live := route.NewLive(o.ClusterDomain)
	events, err := store.Open(context.Background(), store.Options{
		URL: o.RedisURL, PasswordFile: o.RedisPasswordFile, TLS: o.RedisTLS, Wait: o.RedisWait, JournalRecords: o.JournalRecords,
		Endpoints: func() int { return live.Table().Len() }, LookEvery: store.DefaultLookEvery,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	r := &receiver{options: o, store: events, watcher: route.NewWatcher(live, client, o.RouteNamespace, o.Logger)}
	sink := r.openAudit(client, audit.NewMetrics(registry))
	redis := newRedisHealth(events, time.Now, o.Logger, registry)
	r.heartbeat = &heartbeat{client: client, redis: redis, namespace: o.RouteNamespace, identity: o.Identity, routes: r.watcher, logger: o.Logger, now: time.Now,
		keyUse: func(now time.Time) map[string]route.KeyUse { return live.Table().KeyUse(now) }}
	r.ready = &readiness{routes: r.watcher, heartbeat: r.heartbeat, redis: redis}
	r.dispatcher, err = deliver.New(deliver.Options{
		Store: events, Routes: live, ClusterDomain: o.ClusterDomain, ConnectTo: o.ConnectTo, DeadLetterRetention: o.DeadLetterRetention,
		MaxQueuedBytes: o.MaxQueuedBytes, Audit: sink, Registry: registry, Logger: o.Logger,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrOptions, err), events.Close())
	}
	r.handler = intake.NewHandler(intake.Options{
		Routes: live, Store: events, Deliverer: r.dispatcher, Lease: deliver.Lease, MaxQueuedBytes: o.MaxQueuedBytes,
		Audit: sink, Metrics: intake.NewMetrics(registry, live), Proxies: o.TrustedProxies, Logger: o.Logger, Now: time.Now,
	})
	connections := intake.NewConnections(o.MaxConnections, registry)
	if r.webhooks, err = listen(o.Listen, intake.NewServer(closeAfterAnswer{next: r.handler, shuttingDown: &r.ready.shuttingDown}, connections), o.Logger); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	r.webhooks.listener = connections.Listener(r.webhooks.listener)
	if r.admin, err = listen(o.AdminListen, adminServer(r.ready, registry), o.Logger); err != nil {
		return nil, errors.Join(err, r.webhooks.listener.Close(), events.Close())
	}
	return r, nil
}

// run starts all parts and waits for the end of ctx, or of a server.
func (r *receiver) run(ctx context.Context) error {
	// The parts don't end with ctx itself: shutdown ends them in order.
	heartbeat, delivery, rest := newBackground(), newBackground(), newBackground()
	rest.run(r.watcher.Run)
	rest.run(r.ready.redis.run)
	rest.run(r.events.Run)
	delivery.run(func(ctx context.Context) { whenClosed(ctx, r.watcher.Synced(), r.dispatcher.Run) })
	heartbeat.run(r.heartbeat.run)
	r.admin.serve()
	r.webhooks.serve()

	var failed error
	select {
	case <-ctx.Done():
		r.lameDuck()
	case failed = <-r.webhooks.failed:
	case failed = <-r.admin.failed:
	}
	return errors.Join(failed, r.shutdown(heartbeat, delivery, rest))
}

// whenClosed runs f once closed is, unless ctx ends before. Deliveries wait like that
// for the routes: without them, every target would look as if it were gone.
func whenClosed(ctx context.Context, closed <-chan struct{}, f func(context.Context)) {
	select {
	case <-ctx.Done():
	case <-closed:
		f(ctx)
	}
}

// unthrottled turns the client-side rate limit off, which would delay the heartbeat
// behind Events. The API server protects itself by priority and fairness.
func unthrottled(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.UserAgent = fieldManager
	return config
}

// openAudit makes the sinks of audit records, and keeps them for the shutdown.
func (r *receiver) openAudit(client kubernetes.Interface, metrics *audit.Metrics) audit.Sink {
	r.auditLog = audit.NewLog(r.options.AuditLog, metrics)
	r.events = audit.NewEvents(audit.EventsOptions{
		Client: client, Receiver: r.options.Identity, WarningsOnly: r.options.WarningsOnly, Now: time.Now, Logger: r.options.Logger, Metrics: metrics,
	})
	r.journal = audit.NewJournal(audit.JournalOptions{Store: r.store, TrafficOnly: r.options.JournalRecords == 0, Metrics: metrics, Logger: r.options.Logger})
	return audit.NewFanOut(r.options.Identity, time.Now, r.auditLog, r.events, r.journal)
}
