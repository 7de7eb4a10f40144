package main

import (
	"fmt"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers"
	"sallyport.dev/sallyport/provider"
)

// leaderElectionID is the name of the Lease that the leading manager holds.
const leaderElectionID = "sallyport-manager"

// newManager puts the control plane together; starting it is left to the caller.
func newManager(o options, config *rest.Config, events *events, logger *slog.Logger) (ctrl.Manager, error) {
	log := logr.FromSlogHandler(logger.Handler())
	ctrl.SetLogger(log)

	// The API server's priority and fairness bounds what a client may ask; a
	// bound of the client's own would only delay the answer to a burst of edits.
	config.QPS = -1

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	presets, err := provider.Presets()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(o.namespaces...),
		Client:                        controllers.ClientOptions(),
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.healthAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       o.routeNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	setup := controllers.Options{
		RouteNamespace: o.routeNamespace, Namespaces: o.namespaces, ClassName: o.className,
		Settings: o.settings, Quota: o.quota, Presets: presets, Audit: events.audit,
	}
	if events.store != nil {
		setup.DeadLetters, setup.Traffic = events.store, events.store
	}
	if err := controllers.Setup(mgr, setup); err != nil {
		return nil, err
	}
	if err := serveEventsAPI(mgr, o, events); err != nil {
		return nil, err
	}
	return mgr, mgr.AddHealthzCheck("ping", healthz.Ping)
}
