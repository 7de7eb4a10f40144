package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sallyport.dev/sallyport/api/v1alpha1"
	apply "sallyport.dev/sallyport/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
)

// TrafficOwner is the manager's name in server-side apply for the traffic in a status. It
// is not FieldOwner, so that neither of the two writes removes the fields of the other.
const TrafficOwner = client.FieldOwner("sallyport-manager-traffic")

const (
	// trafficInterval is the time between two looks at the traffic.
	trafficInterval = 15 * time.Second
	// trafficBatch is how many endpoints are asked about in one round trip.
	trafficBatch = 250
	// trafficPause is the time between two writes, so that busy endpoints are no load
	// on the API server, however many there are.
	trafficPause = 50 * time.Millisecond
	// rejectionsInARow are so many that the secret is probably wrong. A single forged
	// request must not make an endpoint look ill.
	rejectionsInARow = 5
)

// TrafficStore counts what was received and delivered, by endpoint; *store.Store is one.
type TrafficStore interface {
	Usage(ctx context.Context, endpoints []string) ([]store.Usage, error)
	Traffic(ctx context.Context, endpoints []string) (map[string]store.Traffic, error)
}

// TrafficReporter writes into the status of endpoints what was received and delivered,
// one endpoint after the other and only where that has changed.
type TrafficReporter struct {
	// Client reads from the manager's cache and writes to the API server.
	Client client.Client
	// Store counts what was received and delivered.
	Store TrafficStore
	// ClassName is spec.className of the endpoints that are reported on.
	ClassName string
	// Interval is the time between two looks, and Pause that between two writes; 0: 15 s
	// and 50 ms.
	Interval, Pause time.Duration
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*TrafficReporter) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable: it reports until ctx ends. No error ends it.
func (r *TrafficReporter) Start(ctx context.Context) error {
	ticker := time.NewTicker(orElse(r.Interval, trafficInterval))
	defer ticker.Stop()
	failing := false
	for {
		err := r.report(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Could not bring the traffic of all endpoints up to date; it is tried again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// report looks at all endpoints once.
func (r *TrafficReporter) report(ctx context.Context) error {
	var list v1alpha1.WebhookEndpointList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	mine := slices.DeleteFunc(list.Items, func(e v1alpha1.WebhookEndpoint) bool {
		return e.Spec.ClassName != r.ClassName || isDeleted(&e)
	})
	for batch := range slices.Chunk(mine, trafficBatch) {
		if err := r.reportOn(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (r *TrafficReporter) reportOn(ctx context.Context, endpoints []v1alpha1.WebhookEndpoint) error {
	names := make([]string, len(endpoints))
	for i := range endpoints {
		names[i] = client.ObjectKeyFromObject(&endpoints[i]).String()
	}
	usage, err := r.Store.Usage(ctx, names)
	if err != nil {
		return err
	}
	traffic, err := r.Store.Traffic(ctx, names)
	if err != nil {
		return err
	}
	for i := range endpoints {
		wrote, err := r.write(ctx, &endpoints[i], usage[i], traffic[names[i]])
		if err != nil {
			return err
		}
		if !wrote {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(orElse(r.Pause, trafficPause)):
		}
	}
	return nil
}

// write writes the traffic of one endpoint, if its status says something else, and
// reports whether it wrote.
func (r *TrafficReporter) write(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint, usage store.Usage, traffic store.Traffic) (bool, error) {
	after := trafficStatus(endpoint.Status.Traffic, usage, traffic)
	judged := degraded(usage, traffic)
	judged.ObservedGeneration = endpoint.Generation
	conditions := slices.Clone(endpoint.Status.Conditions)
	changed := meta.SetStatusCondition(&conditions, judged)
	if equality.Semantic.DeepEqual(after, endpoint.Status.Traffic) && (!changed || after == nil) {
		return false, nil
	}
	config := apply.TrafficStatus().WithPending(after.Pending).WithDeadLettered(after.DeadLettered)
	config.LastReceivedTime, config.LastDeliveredTime = after.LastReceivedTime, after.LastDeliveredTime
	status := apply.WebhookEndpointStatus().WithTraffic(config).
		WithConditions(conditionConfigs([]metav1.Condition{*meta.FindStatusCondition(conditions, v1alpha1.ConditionDegraded)})...)
	object := apply.WebhookEndpoint(endpoint.Name, endpoint.Namespace).WithResourceVersion(endpoint.ResourceVersion).WithStatus(status)
	if err := ignoreChanged(r.Client.Status().Apply(ctx, object, TrafficOwner, client.ForceOwnership)); err != nil {
		return false, fmt.Errorf("write the traffic of %s/%s: %w", endpoint.Namespace, endpoint.Name, err)
	}
	return true, nil
}

// trafficStatus is the traffic as a status has it; nil: there never was any. Times that
// the status has already stay when the store forgets them.
func trafficStatus(before *v1alpha1.TrafficStatus, usage store.Usage, traffic store.Traffic) *v1alpha1.TrafficStatus {
	after := &v1alpha1.TrafficStatus{
		LastReceivedTime: minuteOf(traffic.LastReceived), LastDeliveredTime: minuteOf(traffic.LastDelivered),
		Pending: usage.Pending, DeadLettered: usage.Dead,
	}
	if before != nil {
		after.LastReceivedTime = later(before.LastReceivedTime, after.LastReceivedTime)
		after.LastDeliveredTime = later(before.LastDeliveredTime, after.LastDeliveredTime)
	} else if *after == (v1alpha1.TrafficStatus{}) && traffic.RejectedInRow < rejectionsInARow {
		return nil
	}
	return after
}

// minuteOf keeps a busy endpoint from being written more than once a minute.
func minuteOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return new(metav1.NewTime(t.Truncate(time.Minute)))
}

func later(a, b *metav1.Time) *metav1.Time {
	if b == nil || b.Before(a) {
		return a
	}
	return b
}
