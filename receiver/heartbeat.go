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

// A receiver has a Lease object, which says that it is alive and what it serves.
const (
	// leaseDuration is how long the manager waits for a receiver that renews its
	// Lease object no more. Three renewals may fail in a row.
	leaseDuration = 40 * time.Second
	// leaseRenewal is the time between two renewals of an unchanged Lease object.
	leaseRenewal = 10 * time.Second
	// leaseRetry is the time to the next attempt after a failed one.
	leaseRetry = time.Second
	// leaseSpacing is the shortest time between two writes. Changes of routes within
	// it share one.
	leaseSpacing = 50 * time.Millisecond
	// leaseTimeout bounds one write.
	leaseTimeout = 5 * time.Second

	fieldManager    = "sallyport-receiver"
	leaseNamePrefix = "sallyport-receiver-"
)

// servedRoutes are the routes of this receiver; *route.Watcher is one.
type servedRoutes interface {
	Served() string
	Changed() <-chan struct{}
	Synced() <-chan struct{}
}

// heartbeat writes the Lease object of this receiver. An endpoint counts as
// programmed when the Lease objects of all live receivers have reached its route. It says
// also how the receiver finds Redis, so that one write tells it for all endpoints.
type heartbeat struct {
	client    kubernetes.Interface
	namespace string
	identity  string
	routes    servedRoutes
	// keyUse returns which keys are used while secrets are changed; see
	// route.Table.KeyUse.
	keyUse func(time.Time) map[string]route.KeyUse
	redis  *redisHealth
	logger *slog.Logger
	now    func() time.Time

	written atomic.Bool // at least once
}

// run writes the Lease object until ctx ends, and deletes it then. It starts when the
// routes are loaded: endpoints that the other receivers serve must not wait for a
// receiver that serves nothing yet. No error ends it.
func (h *heartbeat) run(ctx context.Context) {
	whenClosed(ctx, h.routes.Synced(), h.beat)
}

func (h *heartbeat) beat(ctx context.Context) {
	for {
		wrote := time.Now()
		next := leaseRenewal
		if err := h.write(ctx); err != nil {
			next = leaseRetry
			h.logger.Warn("the Lease was not renewed; the manager may take this receiver for dead", "lease", h.name(), "error", err)
		}
		if !h.wait(ctx, wrote, next) {
			h.remove()
			return
		}
	}
}

// wait returns true when the next write is due, false when ctx has ended.
func (h *heartbeat) wait(ctx context.Context, wrote time.Time, next time.Duration) bool {
	timer := time.NewTimer(next)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-h.routes.Changed():
	case <-h.redis.changed:
	}
	timer.Reset(time.Until(wrote.Add(leaseSpacing)))
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// write applies the Lease object as a whole, whether it exists or not.
func (h *heartbeat) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	annotations, err := h.annotations()
	if err != nil {
		return err
	}
	lease := coordinationv1.Lease(h.name(), h.namespace).
		WithLabels(map[string]string{route.LabelReceiver: "true"}).
		WithAnnotations(annotations).
		WithSpec(coordinationv1.LeaseSpec().
			WithHolderIdentity(h.identity).
			WithLeaseDurationSeconds(int32(leaseDuration / time.Second)).
			WithRenewTime(metav1.NewMicroTime(h.now())))
	_, err = h.client.CoordinationV1().Leases(h.namespace).Apply(ctx, lease, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err == nil {
		h.written.Store(true)
	}
	return err
}

// annotations of the Lease object. A newly used key causes no write of its own, since
// nobody needs to know of it within seconds.
func (h *heartbeat) annotations() (map[string]string, error) {
	annotations := map[string]string{route.AnnotationServed: h.routes.Served()}
	if view := h.redis.told(); view.State != "" {
		annotations[route.AnnotationStore] = view.String()
	}
	use := h.keyUse(h.now())
	if len(use) == 0 {
		return annotations, nil
	}
	text, err := route.EncodeKeyUse(use)
	annotations[route.AnnotationKeyUse] = text
	return annotations, err
}

// remove deletes the Lease object, so that the manager need not wait until it expires.
func (h *heartbeat) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), leaseTimeout)
	defer cancel()
	if err := h.client.CoordinationV1().Leases(h.namespace).Delete(ctx, h.name(), metav1.DeleteOptions{}); err != nil {
		h.logger.Warn("the Lease was not deleted; it expires by itself", "lease", h.name(), "error", err)
	}
}

// name of the Lease object. An identity need not be the name of a pod, so it may hold
// characters that names of objects can't.
func (h *heartbeat) name() string {
	return leaseNamePrefix + strings.Trim(strings.Map(func(r rune) rune {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return '-'
		}
		return r
	}, strings.ToLower(h.identity)), "-.")
}
