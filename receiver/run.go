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
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// receiver is all parts of a running receiver.
type receiver struct {
	options Options

	watcher    *route.Watcher
	lease      *leaseKeeper
	store      *store.Store
	dispatcher dispatcher
	auditLog   *audit.Log
	journal    *audit.Journal
	events     *audit.Events
	ready      *readiness

	webhooks, admin *server
}

// dispatcher delivers what was accepted. Shutdown ends its attempts and hands
// its leases back; Run returns when its context ends.
type dispatcher interface {
	Offerer
	Caller
	Run(context.Context)
	Shutdown(context.Context) error
}

// Run receives and delivers webhooks until ctx ends, then drains and returns
// nil. Neither Redis nor the API server need be there when it starts. The error
// is an ErrOptions, an address that can't be listened on, or says that the
// shutdown was not complete within its grace.
func Run(ctx context.Context, o Options) error {
	r, err := assemble(o)
	if err != nil {
		return err
	}
	r.options.Log.Info("receiver starts", "identity", o.Identity, "listen", r.webhooks.listener.Addr().String(),
		"admin", r.admin.listener.Addr().String(), "routeNamespace", o.RouteNamespace)
	err = r.run(ctx)
	r.options.Log.Info("receiver ends", "error", err)
	return err
}

// assemble makes all parts, and starts none but those that only wait.
func assemble(o Options) (*receiver, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildinfo.Collector())
	client, err := kubernetes.NewForConfig(limitless(o.Kubernetes))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	events, err := store.Open(context.Background(), store.Options{
		URL: o.RedisURL, PasswordFile: o.RedisPasswordFile, TLS: o.RedisTLS, Wait: o.RedisWait, JournalRecords: o.JournalRecords,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	live := route.NewLive(o.ClusterDomain)
	metrics := NewMetrics(registry, live)
	r := &receiver{options: o, store: events, watcher: route.NewWatcher(live, client, o.RouteNamespace, o.Log)}
	sink := r.openAudit(client, audit.NewMetrics(registry))
	r.lease = &leaseKeeper{client: client, namespace: o.RouteNamespace, identity: o.Identity, routes: r.watcher, log: o.Log, now: time.Now,
		keyUse: func(now time.Time) map[string]route.KeyUse { return live.Table().KeyUse(now) }}
	r.ready = &readiness{routes: r.watcher, lease: r.lease, redis: newRedisHealth(events, o.Log, metrics)}
	if r.dispatcher, err = newDispatcher(o, live, events, sink, registry); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrOptions, err), events.Close())
	}
	handler := NewHandler(HandlerOptions{
		Routes: live, Accepter: events, Dispatcher: r.dispatcher, Marks: events, Caller: r.dispatcher, Lease: deliver.Lease, MaxQueuedBytes: o.MaxQueuedBytes, Audit: sink,
		Metrics: metrics, Proxies: o.TrustedProxies, Log: o.Log, Now: time.Now,
	})
	if r.webhooks, err = listen(o.Listen, webhookServer(parting{next: handler, draining: &r.ready.draining}), o.Log); err != nil {
		return nil, errors.Join(err, events.Close())
	}
	if r.admin, err = listen(o.AdminListen, adminServer(r.ready, registry), o.Log); err != nil {
		return nil, errors.Join(err, r.webhooks.listener.Close(), events.Close())
	}
	return r, nil
}

// deliver delivers until ctx ends. It begins when the routes are there: before,
// every target would look as if it were gone.
func (r *receiver) deliver(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-r.watcher.Synced():
		r.dispatcher.Run(ctx)
	}
}

// limitless leaves it to the API server's priority and fairness to bound us: a
// client-side limit would hold up the Lease behind Events.
func limitless(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.UserAgent = leaseFieldManager
	return config
}

// openAudit makes the sinks of audit records, and keeps them for the shutdown.
func (r *receiver) openAudit(client kubernetes.Interface, metrics *audit.Metrics) audit.Sink {
	r.auditLog = audit.NewLog(r.options.AuditLog, metrics)
	r.events = audit.NewEvents(client, r.options.Identity, time.Now, r.options.Log, metrics)
	r.journal = audit.NewJournal(audit.JournalOptions{Store: r.store, TrafficOnly: r.options.JournalRecords == 0, Metrics: metrics, Log: r.options.Log})
	return audit.NewFanOut(r.options.Identity, time.Now, r.auditLog, r.events, r.journal)
}
