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

	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/intake"
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

// newGate serves bench/github. args are the address of the target ("": nothing is
// delivered) and the URL of Redis.
func newGate(ctx context.Context, args []string) (http.Handler, error) {
	if len(args) != 2 {
		return nil, errors.New("gate needs the address of a target and the URL of Redis")
	}
	target, redisURL := args[0], args[1]
	live := route.NewLive("cluster.local")
	if err := publish(live, endpoint{"github", loadPath, gateService}); err != nil {
		return nil, err
	}
	var connect map[string]string
	if target != "" {
		connect = map[string]string{fmt.Sprintf("bench/%s:%d", gateService, gatePort): target}
	}
	return newReceiver(ctx, live, connect, redisURL)
}

// newReceiver puts the receiver's handler together as receiver.Run does: the real
// store, metrics, audit log (to /dev/null) and the folding of Kubernetes Events,
// with the routes in live. What it lacks is the API server: nothing is watched,
// and folded Events are not written. Without connections nothing is delivered.
func newReceiver(ctx context.Context, live *route.Live, connect map[string]string, redisURL string) (http.Handler, error) {
	events, err := store.Open(ctx, store.Options{URL: redisURL})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	sink, err := newAudit(registry)
	if err != nil {
		return nil, err
	}
	var deliverer intake.Deliverer = nobody{}
	if connect != nil {
		dispatcher, err := deliver.New(deliver.Options{
			Store: events, Routes: live, ClusterDomain: "cluster.local", Audit: sink, Registry: registry, Logger: slog.New(slog.DiscardHandler),
			ConnectTo: connect,
		})
		if err != nil {
			return nil, err
		}
		go dispatcher.Run(ctx)
		deliverer = dispatcher
	}
	return intake.NewHandler(intake.Options{
		Routes: live, Store: events, Deliverer: deliverer, Lease: deliver.Lease, Audit: sink,
		Metrics: intake.NewMetrics(registry, live), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	}), nil
}

// nobody delivers nothing.
type nobody struct{ intake.Deliverer }

// Offer implements intake.Deliverer.
func (nobody) Offer(*store.Event, store.Lease) {}

func newAudit(registry *prometheus.Registry) (audit.Sink, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	metrics := audit.NewMetrics(registry)
	log := audit.NewLog(null, metrics)
	return audit.NewFanOut("bench", time.Now, log, audit.NewEvents(audit.EventsOptions{Receiver: "bench", Now: time.Now, Logger: slog.New(slog.DiscardHandler), Metrics: metrics})), nil
}

// endpoint is one of the namespace bench.
type endpoint struct{ name, path, service string }

// publish puts the routes of endpoints of the preset "github" into the table,
// encoded and decoded as between manager and receiver.
func publish(live *route.Live, endpoints ...endpoint) error {
	github, err := preset("github")
	if err != nil {
		return err
	}
	var objects []route.Object
	for _, e := range endpoints {
		r := route.Route{
			Version:  route.Version,
			Endpoint: route.Endpoint{Namespace: "bench", Name: e.name, UID: "bench", Created: time.Unix(1700000000, 0)},
			Path:     e.path, Provider: github.Provider,
			Keys:   []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte(loadSecret))}},
			Target: route.Target{Namespace: "bench", Service: e.service, Port: gatePort, Scheme: "http", Path: "/"},
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
		objects = append(objects, route.Object{Name: route.SecretName("bench", e.name), Path: r.Path, Data: data})
	}
	live.Replace(objects)
	return nil
}

func preset(name string) (*provider.Sender, error) {
	object, err := provider.Preset(name)
	if err != nil {
		return nil, err
	}
	sender := provider.Compile(object)
	if sender.Problem != "" {
		return nil, errors.New(sender.Problem)
	}
	return sender, nil
}
