package cluster

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
)

// ManagerOptions configure a manager.
type ManagerOptions struct {
	// Name tells managers apart; empty: "manager".
	Name string
	// PublicURL is the base of the endpoints' URLs.
	PublicURL string
	// RedisURL is where the receivers keep their events; empty: it is told none.
	RedisURL string
	// EventsAPI is the address at which it serves the events API, see
	// InstallEventsAPI; empty: it serves none.
	EventsAPI string
	// Flags are further flags.
	Flags []string
}

// Manager is a running manager.
type Manager struct {
	*Process
	// MetricsURL and HealthURL are the bases of its HTTP servers.
	MetricsURL, HealthURL string
	// EventsAPI is the address of its events API; "0": it serves none.
	EventsAPI string
	// Audit is what it reports on stdout.
	Audit *Journal[audit.Record]
}

// StartManager starts a manager and waits until it is ready.
func (c *Cluster) StartManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	m, err := c.LaunchManager(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := m.AwaitReady(ctx); err != nil {
		m.Kill()
		return nil, err
	}
	return m, nil
}

// AwaitReady waits until the manager says that it is ready.
func (m *Manager) AwaitReady(ctx context.Context) error {
	return awaitOK(ctx, m.Process, m.HealthURL+"/readyz")
}

// LaunchManager is StartManager without the wait.
func (c *Cluster) LaunchManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	kubeconfig, err := c.identify("sallyport-manager")
	if err != nil {
		return nil, err
	}
	var metrics, health string
	if o.EventsAPI == "" {
		o.EventsAPI = "0"
	}
	if err := addresses(ctx, &metrics, &health); err != nil {
		return nil, err
	}
	flags := []string{
		"--kubeconfig=" + kubeconfig,
		"--route-namespace=" + Namespace,
		"--public-url=" + o.PublicURL,
		"--metrics-bind-address=" + metrics,
		"--health-probe-bind-address=" + health,
		"--events-api-bind-address=" + o.EventsAPI,
	}
	if o.RedisURL != "" {
		flags = append(flags, "--redis-url="+o.RedisURL)
	}
	flags = append(flags, o.Flags...)
	records := NewJournal[audit.Record]()
	process, err := c.janitor.start(program{
		name: cmp.Or(o.Name, "manager"), path: filepath.Join(c.options.Bin, "manager"), args: flags, stdout: &lines{each: keep(records)},
	})
	if err != nil {
		return nil, err
	}
	return &Manager{Process: process, MetricsURL: "http://" + metrics, HealthURL: "http://" + health, EventsAPI: o.EventsAPI, Audit: records}, nil
}

// probeInterval is how often a program that starts is asked whether it is ready.
const probeInterval = 20 * time.Millisecond

// awaitOK asks url until it answers 200. It is an error if the process ends, or
// ctx, and says what the last answer was.
func awaitOK(ctx context.Context, process *Process, url string) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		answer, err := Get(ctx, url)
		if err == nil && answer.Status == 200 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-process.Exited():
			return process.failed(fmt.Errorf("%s ended before it was ready", process.Name))
		case <-ctx.Done():
			return process.failed(fmt.Errorf("%s is not ready: %w; %s answered %d %s", process.Name, ctx.Err(), url, answer.Status, answer.Body))
		}
	}
}
