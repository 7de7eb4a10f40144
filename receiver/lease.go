package receiver

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/applyconfigurations/coordination/v1"
	"k8s.io/client-go/kubernetes"

	"sallyport.dev/sallyport/receiver/route"
)

// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=create;patch;delete,namespace=sallyport-system

// How a receiver tells that it is alive and what it serves.
const (
	// leaseDuration is how long the manager waits for a receiver that has gone
	// silent. It bears three failed renewals.
	leaseDuration = 40 * time.Second
	// leaseRenewal is the time between two renewals of an unchanged Lease.
	leaseRenewal = 10 * time.Second
	// leaseRetry is the time to the next attempt after a failed one.
	leaseRetry = time.Second
	// leaseSpacing is the shortest time between two writes: changes of routes
	// within it are told together.
	leaseSpacing = 50 * time.Millisecond
	// leaseTimeout bounds one write.
	leaseTimeout = 5 * time.Second

	leaseFieldManager = "sallyport-receiver"
	leaseNamePrefix   = "sallyport-receiver-"
)

// servedRoutes are the routes of which a Lease tells; *route.Watcher is one.
type servedRoutes interface {
	Served() string
	Changed() <-chan struct{}
	Synced() <-chan struct{}
}

// leaseKeeper keeps the Lease of this receiver. An endpoint counts as
// programmed when the Leases of all live receivers have reached its route.
type leaseKeeper struct {
	client    kubernetes.Interface
	namespace string
	identity  string
	routes    servedRoutes
	// keyUse returns what was seen of secrets that are being changed; see
	// route.Table.KeyUse.
	keyUse func(time.Time) map[string]route.KeyUse
	log    *slog.Logger
	now    func() time.Time

	held atomic.Bool // written at least once
}

// run writes the Lease until ctx ends, and deletes it then. It starts when the
// routes are there, because a receiver that serves nothing yet must not hold up
// the endpoints that the others serve. No error ends it.
func (k *leaseKeeper) run(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-k.routes.Synced():
	}
	for {
		wrote := time.Now()
		next := leaseRenewal
		if err := k.write(ctx); err != nil {
			next = leaseRetry
			k.log.Warn("the Lease was not renewed; the manager may take this receiver for dead", "lease", k.name(), "error", err)
		}
		if !k.wait(ctx, wrote, next) {
			k.remove()
			return
		}
	}
}

// wait returns true when it is time to write again, false when ctx has ended.
func (k *leaseKeeper) wait(ctx context.Context, wrote time.Time, next time.Duration) bool {
	timer := time.NewTimer(next)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-k.routes.Changed():
	}
	timer.Reset(time.Until(wrote.Add(leaseSpacing)))
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// write applies the Lease as a whole: whether it is new, expired, or was
// deleted by somebody makes no difference.
func (k *leaseKeeper) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	annotations, err := k.annotations()
	if err != nil {
		return err
	}
	lease := coordinationv1.Lease(k.name(), k.namespace).
		WithLabels(map[string]string{route.LabelReceiver: "true"}).
		WithAnnotations(annotations).
		WithSpec(coordinationv1.LeaseSpec().
			WithHolderIdentity(k.identity).
			WithLeaseDurationSeconds(int32(leaseDuration / time.Second)).
			WithRenewTime(metav1.NewMicroTime(k.now())))
	_, err = k.client.CoordinationV1().Leases(k.namespace).Apply(ctx, lease, metav1.ApplyOptions{FieldManager: leaseFieldManager, Force: true})
	if err == nil {
		k.held.Store(true)
	}
	return err
}

// annotations are what the Lease tells. How secrets are used waits for the next
// renewal: nobody needs to know within seconds.
func (k *leaseKeeper) annotations() (map[string]string, error) {
	annotations := map[string]string{route.AnnotationServed: k.routes.Served()}
	use := k.keyUse(k.now())
	if len(use) == 0 {
		return annotations, nil
	}
	text, err := route.EncodeKeyUse(use)
	annotations[route.AnnotationKeyUse] = text
	return annotations, err
}

// remove deletes the Lease, so that the manager need not wait until it ends.
func (k *leaseKeeper) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout)
	defer cancel()
	if err := k.client.CoordinationV1().Leases(k.namespace).Delete(ctx, k.name(), metav1.DeleteOptions{}); err != nil {
		k.log.Warn("the Lease was not deleted; it ends by itself", "lease", k.name(), "error", err)
	}
}

// name of the Lease. An identity that is no pod's name may hold characters that
// names of objects don't.
func (k *leaseKeeper) name() string {
	return leaseNamePrefix + strings.Trim(strings.Map(func(r rune) rune {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return '-'
		}
		return r
	}, strings.ToLower(k.identity)), "-.")
}
