package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// auditGrace bounds the writing of audit records when the manager ends.
const auditGrace = 5 * time.Second

// events are the events that receivers keep in Redis, and the audit of what the
// manager does to them.
type events struct {
	store   *store.Store // nil without --redis-url
	audit   audit.Sink
	log     *audit.Log
	journal *audit.Journal // nil without --redis-url
}

// openEvents does not wait for Redis. The caller closes what it returns.
func openEvents(ctx context.Context, o options, env cli.Env, log *slog.Logger) (*events, error) {
	identity, err := identity(env)
	if err != nil {
		return nil, err
	}
	e := &events{}
	if o.redis.URL != "" {
		if e.store, err = store.Open(ctx, o.redis); err != nil {
			return nil, cli.Usagef("%w", err)
		}
	}
	counts := audit.NewMetrics(metrics.Registry)
	e.log = audit.NewLog(env.Stdout, counts)
	sinks := []audit.Sink{e.log}
	if e.store != nil {
		e.journal = audit.NewJournal(audit.JournalOptions{Store: e.store, Metrics: counts, Logger: log})
		sinks = append(sinks, e.journal)
	}
	e.audit = audit.NewFanOut(identity, time.Now, sinks...)
	return e, nil
}

// close writes what is left of the audit, after all that could add to it has ended.
func (e *events) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), auditGrace)
	defer cancel()
	err := e.log.Close(ctx)
	if e.store == nil {
		return err
	}
	return errors.Join(err, e.journal.Close(ctx), e.store.Close())
}

// identity names this manager in audit records: the pod, or the host.
func identity(env cli.Env) (string, error) {
	if pod, ok := env.Lookup("POD_NAME"); ok && pod != "" {
		return pod, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("this manager needs a name: set the environment variable POD_NAME: %w", err)
	}
	return host, nil
}
