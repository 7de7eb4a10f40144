package eventsapi

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// A column with a priority above 0 is only shown by -o wide.
var (
	eventColumns = []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "A digest of endpoint and event id."},
		{Name: "Endpoint", Type: "string", Description: "The WebhookEndpoint that received it."},
		{Name: "Type", Type: "string", Description: "The provider's event type."},
		{Name: "State", Type: "string", Description: "What has become of it."},
		{Name: "Attempts", Type: "integer", Description: "Attempts of the delivery that had most of them."},
		{Name: "Age", Type: "string", Description: "Since it was received."},
		{Name: "Event ID", Type: "string", Priority: 1, Description: "The provider's event id."},
		{Name: "Provider", Type: "string", Priority: 1, Description: "Who sent it."},
		{Name: "Bytes", Type: "integer", Priority: 1, Description: "Size of the body."},
		{Name: "Error", Type: "string", Priority: 1, Description: "Why the last attempt failed."},
	}
	recordColumns = []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "Its place in the order of records."},
		{Name: "Time", Type: "string", Format: "date-time", Description: "When it happened."},
		{Name: "Endpoint", Type: "string", Description: "The WebhookEndpoint."},
		{Name: "Status", Type: "string", Description: "The outcome."},
		{Name: "Code", Type: "string", Description: "What the sender got, or what the target answered."},
		{Name: "Event ID", Type: "string", Description: "The provider's event id."},
		{Name: "Message", Type: "string", Description: "Why."},
		{Name: "Type", Type: "string", Priority: 1, Description: "The provider's event type."},
		{Name: "Attempt", Type: "integer", Priority: 1, Description: "Which attempt of a delivery it was."},
		{Name: "Target", Type: "string", Priority: 1, Description: "Where a delivery went."},
		{Name: "Duration", Type: "string", Priority: 1, Description: "How long it took."},
		{Name: "Source", Type: "string", Priority: 1, Description: "The address of the sender."},
		{Name: "Receiver", Type: "string", Priority: 1, Description: "The pod."},
	}
	queueColumns = []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "The WebhookEndpoint."},
		{Name: "Pending", Type: "integer", Description: "Deliveries that are neither done nor given up."},
		{Name: "Held", Type: "integer", Description: "Those of them that wait for a target that takes nothing."},
		{Name: "Dead", Type: "integer", Description: "Deliveries that were given up."},
		{Name: "Bytes", Type: "integer", Description: "What all of them take in Redis."},
		{Name: "Received", Type: "string", Description: "Since an event was last accepted."},
		{Name: "Delivered", Type: "string", Description: "Since a target last took one."},
		{Name: "Rejected", Type: "string", Description: "Since a request was last refused as not authentic."},
	}
)

// includeOf says what the rows of a Table hold of the objects.
func includeOf(text string) (metav1.IncludeObjectPolicy, error) {
	switch policy := metav1.IncludeObjectPolicy(text); policy {
	case "":
		return metav1.IncludeMetadata, nil
	case metav1.IncludeNone, metav1.IncludeMetadata, metav1.IncludeObject:
		return policy, nil
	default:
		return "", apierrors.NewBadRequest(fmt.Sprintf("includeObject=%s: there are None, Metadata and Object", text))
	}
}

// hasTable reports whether there is a Table of what a resource answers with.
func hasTable(resource, subresource string) bool {
	switch resource {
	case eventsv1alpha1.ResourceWebhookEvents, eventsv1alpha1.ResourceWebhookRecords, eventsv1alpha1.ResourceWebhookQueues:
		return subresource == ""
	default:
		return false
	}
}

// tableOf makes a Table of an object or of a list; what there is none of, such as a
// Status, stays as it is.
func tableOf(object runtime.Object, now time.Time, include metav1.IncludeObjectPolicy) runtime.Object {
	t := tableMaker{now: now, include: include, table: &metav1.Table{
		TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "Table"}, Rows: []metav1.TableRow{},
	}}
	switch o := object.(type) {
	case *eventsv1alpha1.WebhookEvent:
		t.event(o)
	case *eventsv1alpha1.WebhookEventList:
		t.list(eventColumns, o.ListMeta)
		for i := range o.Items {
			t.event(&o.Items[i])
		}
	case *eventsv1alpha1.WebhookRecord:
		t.record(o)
	case *eventsv1alpha1.WebhookRecordList:
		t.list(recordColumns, o.ListMeta)
		for i := range o.Items {
			t.record(&o.Items[i])
		}
	case *eventsv1alpha1.WebhookQueue:
		t.queue(o)
	case *eventsv1alpha1.WebhookQueueList:
		t.list(queueColumns, o.ListMeta)
		for i := range o.Items {
			t.queue(&o.Items[i])
		}
	default:
		return object
	}
	return t.table
}

type tableMaker struct {
	now     time.Time
	include metav1.IncludeObjectPolicy
	table   *metav1.Table
}

func (t *tableMaker) list(columns []metav1.TableColumnDefinition, meta metav1.ListMeta) {
	t.table.ColumnDefinitions, t.table.ListMeta = columns, meta
}

func (t *tableMaker) event(e *eventsv1alpha1.WebhookEvent) {
	var attempts int32
	var lastError string
	for _, d := range e.Status.Deliveries {
		if d.Attempts >= attempts {
			attempts = d.Attempts
			lastError = d.LastError
		}
	}
	t.row(eventColumns, e, e.ObjectMeta, e.Name, e.Spec.Endpoint, e.Spec.Type, string(e.Status.State), attempts, t.since(&e.CreationTimestamp),
		e.Spec.EventID, e.Spec.Provider, e.Spec.BodyBytes, lastError)
}

func (t *tableMaker) record(r *eventsv1alpha1.WebhookRecord) {
	code, took := "", time.Duration(r.DurationMS)*time.Millisecond
	if r.StatusCode != 0 {
		code = fmt.Sprint(r.StatusCode)
	}
	t.row(recordColumns, r, r.ObjectMeta, r.Name, r.Time.UTC().Format(time.RFC3339), r.Endpoint, r.ProcessingStatus, code, r.EventID, r.ErrorMessage,
		r.EventType, r.Attempt, r.Target, took.String(), r.SourceIP, r.Receiver)
}

func (t *tableMaker) queue(q *eventsv1alpha1.WebhookQueue) {
	t.row(queueColumns, q, q.ObjectMeta, q.Name, q.Pending, q.Held, q.DeadLetters, q.Bytes,
		t.since(q.LastReceivedTime), t.since(q.LastDeliveredTime), t.since(q.LastRejectedTime))
}

func (t *tableMaker) row(columns []metav1.TableColumnDefinition, object runtime.Object, meta metav1.ObjectMeta, cells ...any) {
	row := metav1.TableRow{Cells: cells}
	switch t.include {
	case metav1.IncludeObject:
		row.Object.Object = object
	case metav1.IncludeMetadata:
		row.Object.Object = &metav1.PartialObjectMetadata{
			TypeMeta:   metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"},
			ObjectMeta: meta,
		}
	}
	if t.table.ColumnDefinitions == nil {
		t.table.ColumnDefinitions = columns
	}
	t.table.Rows = append(t.table.Rows, row)
}

// since is how people are told of a time.
func (t *tableMaker) since(at *metav1.Time) string {
	if at.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(t.now.Sub(at.Time))
}
