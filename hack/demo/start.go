package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/client-go/discovery"

	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/port"
)

// The ports that the demo takes if they are free: those of the defaults.
const (
	listenPort = 8080
	adminPort  = 9090
)

// startTimeout bounds how long one program may take to get ready, and
// stopTimeout to end. A machine that is compiling something else is slow.
const (
	startTimeout = time.Minute
	stopTimeout  = 40 * time.Second
)

// targetService is the Service of config/samples that the target stands for.
const targetService = "shop/orders:8080"

// demo is what runs.
type demo struct {
	out      *printer
	root     string
	cluster  *cluster.Cluster
	target   *cluster.Target
	manager  *cluster.Manager
	receiver *cluster.Receiver
	redisURL string
	bin      string // the folder with the programs

	// deliveries is how many requests the target was to get so far.
	deliveries int
	cleanups   []func(context.Context) error // in the order of starting
}

// start brings up all parts, each after those that it needs.
func (d *demo) start(ctx context.Context) (err error) {
	if d.root, err = cluster.Root(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{d.startControlPlane, d.startRedis, d.startTarget, d.startPrograms} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) startControlPlane(ctx context.Context) error {
	d.out.step("programs")
	err := d.out.during(func() (err error) {
		d.bin, err = cluster.Build(ctx, d.root)
		return err
	})
	if err != nil {
		return err
	}
	d.out.done("manager, receiver and kubectl-hooks in bin/ are up to date")

	d.out.step("control plane")
	assets, err := cluster.Assets(ctx, d.root, d.out)
	if err != nil {
		return err
	}
	d.cluster, err = cluster.Start(ctx, cluster.Options{Root: d.root, Assets: assets, Bin: d.bin})
	if err != nil {
		return err
	}
	d.onStop(func(context.Context) error { return d.cluster.Stop() })
	client, err := discovery.NewDiscoveryClientForConfig(d.cluster.Config)
	if err != nil {
		return err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return err
	}
	d.out.done("Kubernetes API %s at %s", version, d.cluster.Config.Host)
	return nil
}

// startTarget stands in for the Service that the samples name: there are no
// pods here.
func (d *demo) startTarget(ctx context.Context) (err error) {
	d.out.step("target")
	if d.target, err = cluster.StartTarget(ctx); err != nil {
		return err
	}
	d.onStop(func(context.Context) error { d.target.Close(); return nil })
	d.out.done("%s stands for the Service %s", d.target.Address, targetService)
	return nil
}

func (d *demo) startPrograms(ctx context.Context) error {
	listen, err := cluster.Address(ctx, listenPort)
	if err != nil {
		return err
	}
	admin, err := cluster.Address(ctx, adminPort)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := d.startManager(ctx, "http://"+listen); err != nil {
		return err
	}
	return d.startReceiver(ctx, listen, admin)
}

func (d *demo) startManager(ctx context.Context, publicURL string) (err error) {
	d.out.step("manager")
	eventsAPI, err := d.installEventsAPI(ctx)
	if err != nil {
		return err
	}
	d.manager, err = d.cluster.StartManager(ctx, cluster.ManagerOptions{PublicURL: publicURL, RedisURL: d.redisURL, EventsAPI: eventsAPI})
	if err != nil {
		return err
	}
	d.onStop(d.manager.Stop)
	d.out.done("process %d, as the ServiceAccount sallyport-manager", d.manager.PID)
	return nil
}

// installEventsAPI tells the API server where the manager will answer about events.
func (d *demo) installEventsAPI(ctx context.Context) (address string, err error) {
	if address, err = port.Address(ctx); err != nil {
		return "", err
	}
	return address, d.cluster.InstallEventsAPI(ctx, address)
}

func (d *demo) startReceiver(ctx context.Context, listen, admin string) (err error) {
	d.out.step("receiver")
	d.receiver, err = d.cluster.StartReceiver(ctx, cluster.ReceiverOptions{
		Name: "receiver", RedisURL: d.redisURL, Listen: listen, AdminListen: admin,
		ConnectTo: map[string]string{targetService: d.target.Address},
	})
	if err != nil {
		return err
	}
	d.onStop(d.receiver.Stop)
	d.out.done("process %d, as the ServiceAccount sallyport-receiver, at %s", d.receiver.PID, d.receiver.URL)
	return nil
}

func (d *demo) onStop(cleanup func(context.Context) error) { d.cleanups = append(d.cleanups, cleanup) }

// stop ends the parts in the reverse order of starting.
func (d *demo) stop() error {
	var err error
	for _, cleanup := range slices.Backward(d.cleanups) {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		err = errors.Join(err, cleanup(ctx))
		cancel()
	}
	return err
}

// programs are the manager and the receiver, as far as they were started.
func (d *demo) programs() []*cluster.Process {
	var processes []*cluster.Process
	if d.manager != nil {
		processes = append(processes, d.manager.Process)
	}
	if d.receiver != nil {
		processes = append(processes, d.receiver.Process)
	}
	return processes
}
