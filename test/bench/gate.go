package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport.dev/sallyport/config/providers"
	"sallyport.dev/sallyport/controllers"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
)

// Where the events of the benchmark go: any Service, since it is dialled by an
// explicit mapping.
const (
	gateService = "orders"
	gatePort    = 8080
)

// newGate puts the receiver's handler together as receiver.Run does: the real
// store, metrics, audit log (to /dev/null) and the folding of Kubernetes Events,
// with a route of the preset "github". What it lacks is the API server: nothing
// is watched, and folded Events are not written. args are the address of the
// target ("": nothing is delivered) and the URL of Redis.
func newGate(ctx context.Context, args []string) (http.Handler, error) {
	if len(args) != 2 {
		return nil, errors.New("gate needs the address of a target and the URL of Redis")
	}
	target, redisURL := args[0], args[1]
	live := route.NewLive("cluster.local")
	if err := publish(live); err != nil {
		return nil, err
	}
	events, err := store.Open(ctx, store.Options{URL: redisURL})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	sink, err := newAudit(registry)
	if err != nil {
		return nil, err
	}
	var offerer receiver.Offerer = nobody{}
	if target != "" {
		dispatcher, err := deliver.New(deliver.Options{
			Store: events, Routes: finder{live}, ClusterDomain: "cluster.local", Audit: sink, Registry: registry, Log: slog.New(slog.DiscardHandler),
			ConnectTo: map[string]string{fmt.Sprintf("bench/%s:%d", gateService, gatePort): target},
		})
		if err != nil {
			return nil, err
		}
		go dispatcher.Run(ctx)
		offerer = dispatcher
	}
	return receiver.NewHandler(receiver.HandlerOptions{
		Routes: live, Accepter: events, Dispatcher: offerer, Lease: deliver.Lease, Audit: sink,
		Metrics: receiver.NewMetrics(registry, live), Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}), nil
}

// nobody delivers nothing.
type nobody struct{}

// Offer implements receiver.Offerer.
func (nobody) Offer(*store.Event, store.Lease) {}

// finder shows the routes to the dispatcher.
type finder struct{ live *route.Live }

// Route implements deliver's RouteFinder.
func (f finder) Route(endpoint string) (route.Route, bool) {
	entry := f.live.Table().Endpoint(endpoint)
	if entry == nil {
		return route.Route{}, false
	}
	return entry.Route, true
}

func newAudit(registry *prometheus.Registry) (audit.Sink, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	metrics := audit.NewMetrics(registry)
	log := audit.NewLog(null, metrics)
	return audit.NewFanOut("bench", time.Now, log, audit.NewEvents(nil, "bench", time.Now, slog.New(slog.DiscardHandler), metrics)), nil
}

// publish puts the route of bench/github into the table, encoded and decoded as
// between manager and receiver.
func publish(live *route.Live) error {
	github, err := preset("github")
	if err != nil {
		return err
	}
	r := route.Route{
		Version:  route.Version,
		Endpoint: route.Endpoint{Namespace: "bench", Name: "github", UID: "bench", Created: time.Unix(1700000000, 0)},
		Path:     loadPath, Provider: github.Provider,
		Keys:   []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte(loadSecret))}},
		Target: route.Target{Namespace: "bench", Service: gateService, Port: gatePort, Scheme: "http", Path: "/"},
		Delivery: route.Delivery{
			Timeout: route.Duration(10 * time.Second), MaxInFlight: 32,
			Retry: route.Retry{MaxAttempts: 12, MinBackoff: route.Duration(time.Second), MaxBackoff: route.Duration(time.Hour), MaxAge: route.Duration(72 * time.Hour)},
		},
		Deduplication: route.Deduplication{Window: route.Duration(github.Window)},
		Limits:        route.Limits{MaxBodyBytes: github.MaxBodyBytes},
	}
	data, err := route.Encode(r)
	if err != nil {
		return err
	}
	live.Replace([]route.Object{{Name: route.SecretName("bench", "github"), Path: r.Path, Data: data}})
	return nil
}

func preset(name string) (*compile.Sender, error) {
	presets, err := controllers.LoadPresets(providers.Files)
	if err != nil {
		return nil, err
	}
	for i := range presets {
		if presets[i].Name == name {
			sender := compile.Provider(&presets[i])
			if sender.Problem != "" {
				return nil, errors.New(sender.Problem)
			}
			return sender, nil
		}
	}
	return nil, fmt.Errorf("there is no preset %q", name)
}
