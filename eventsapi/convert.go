package eventsapi

import (
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
)

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: eventsv1alpha1.SchemeGroupVersion.String(), Kind: kind}
}

// The kinds.
const (
	kindEvent   = "WebhookEvent"
	kindPayload = "WebhookEventPayload"
	kindRecord  = "WebhookRecord"
	kindQueue   = "WebhookQueue"
	listSuffix  = "List"
)

// eventOf makes an API object of an event that is stored.
func eventOf(info *store.EventInfo) eventsv1alpha1.WebhookEvent {
	e, endpoint := info.Event, refOf(info.Event.Endpoint)
	return eventsv1alpha1.WebhookEvent{
		TypeMeta: typeMeta(kindEvent),
		ObjectMeta: metav1.ObjectMeta{
			Namespace: endpoint.namespace, Name: info.Name, CreationTimestamp: metav1.NewTime(e.ReceivedAt.UTC()),
		},
		Spec: eventsv1alpha1.WebhookEventSpec{
			Endpoint: endpoint.name, Provider: e.Provider, EventID: e.ID, Type: e.Type, RequestID: e.RequestID,
			SourceIP: e.SourceIP, ReceivedTime: metav1.NewMicroTime(e.ReceivedAt.UTC()), BodyBytes: e.BodyBytes,
		},
		Status: statusOf(info.Deliveries),
	}
}

// deliveredOf makes an API object of an event of which only the journal tells.
func deliveredOf(s *seenEvent) eventsv1alpha1.WebhookEvent {
	r := &s.record
	return eventsv1alpha1.WebhookEvent{
		TypeMeta: typeMeta(kindEvent),
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.endpoint.namespace, Name: s.name(), CreationTimestamp: metav1.NewTime(r.ReceivedAt.UTC()),
		},
		Spec: eventsv1alpha1.WebhookEventSpec{
			Endpoint: s.endpoint.name, Provider: r.Provider, EventID: r.EventID, Type: r.EventType, RequestID: r.RequestID,
			SourceIP: r.SourceIP, ReceivedTime: metav1.NewMicroTime(r.ReceivedAt.UTC()), BodyBytes: r.BodyBytes,
		},
		Status: eventsv1alpha1.WebhookEventStatus{State: eventsv1alpha1.StateDelivered},
	}
}

// statesByWeight: of states that differ, the first is that of the event.
var statesByWeight = []store.DeliveryState{store.DeadLettered, store.Retrying, store.Held, store.Pending}

// statusOf sums deliveries up. Without any, all are done.
func statusOf(deliveries []store.DeliveryInfo) eventsv1alpha1.WebhookEventStatus {
	status := eventsv1alpha1.WebhookEventStatus{State: eventsv1alpha1.StateDelivered}
	for _, state := range statesByWeight {
		if slices.ContainsFunc(deliveries, func(d store.DeliveryInfo) bool { return d.State == state }) {
			status.State = eventsv1alpha1.EventState(state)
			break
		}
	}
	for _, d := range deliveries {
		status.Deliveries = append(status.Deliveries, deliveryOf(d))
	}
	slices.SortFunc(status.Deliveries, func(a, b eventsv1alpha1.DeliveryStatus) int { return strings.Compare(a.Route, b.Route) })
	return status
}

func deliveryOf(d store.DeliveryInfo) eventsv1alpha1.DeliveryStatus {
	status := eventsv1alpha1.DeliveryStatus{
		Route: d.Target, State: eventsv1alpha1.EventState(d.State), Attempts: clamp(d.Failure.Attempts), LastError: d.Failure.Error,
	}
	switch d.State {
	case store.DeadLettered:
		status.DeadLetteredTime = timeOf(d.At)
	case store.Pending, store.Retrying:
		status.NextAttemptTime = timeOf(d.At)
	}
	return status
}

// recordOf makes an API object of an entry of a journal.
func recordOf(e *entry) eventsv1alpha1.WebhookRecord {
	r := &e.record
	return eventsv1alpha1.WebhookRecord{
		TypeMeta: typeMeta(kindRecord),
		ObjectMeta: metav1.ObjectMeta{
			Namespace: e.endpoint.namespace, Name: e.name(),
			ResourceVersion: version(millis(e.id)), CreationTimestamp: metav1.NewTime(r.Time.UTC()),
		},
		Time: metav1.NewMicroTime(r.Time.UTC()), Endpoint: e.endpoint.name,
		Provider: r.Provider, EventID: r.EventID, EventType: r.EventType, RequestID: r.RequestID,
		ReceivedTime: metav1.NewMicroTime(r.ReceivedAt.UTC()), SignatureVerified: r.SignatureVerified,
		ProcessingStatus: string(r.Status), ErrorMessage: r.ErrorMessage, SourceIP: r.SourceIP,
		BodyBytes: r.BodyBytes, BodySHA256: r.BodySHA256, Attempt: clamp(r.Attempt), Target: r.Target,
		StatusCode: clamp(r.StatusCode), DurationMS: int64(math.Round(r.DurationMS)), Receiver: r.Receiver,
	}
}

// timeOf returns nil for a time that is not known.
func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	at := metav1.NewTime(t.UTC())
	return &at
}

func clamp(n int) int32 { return int32(max(math.MinInt32, min(n, math.MaxInt32))) }
