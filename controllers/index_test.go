package controllers

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

func requestFor(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
}

func TestIndexes(t *testing.T) {
	endpoint := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: "billing", Name: "stripe"},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  "stripe",
			SecretRef: &v1alpha1.SecretKeyReference{Name: "signing", Key: "secret"},
			Target: &v1alpha1.Target{Service: v1alpha1.ServiceTarget{
				Name: "billing-api", Scheme: "https", CARef: &v1alpha1.ConfigMapKeyReference{Name: "internal-ca", Key: "ca.crt"},
			}},
		},
	}
	want := map[string][]string{
		byPath:     {"/billing/stripe"},
		byProvider: {"stripe"},
		bySecret:   {"signing"},
		byService:  {"billing-api", "stripe-webhook"},
		byCA:       {"internal-ca"},
	}
	got := map[string][]string{}
	for name, keys := range indexed {
		got[name] = keys(endpoint)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}

	endpoint.Spec.Path = "/v1"
	if got := indexed[byPath](endpoint); !cmp.Equal(got, []string{"/billing/v1"}) {
		t.Errorf("with a path of its own it is found by %q", got)
	}
}

func TestEndpointOfRoute(t *testing.T) {
	for name, c := range map[string]struct {
		labels map[string]string
		want   []reconcile.Request
	}{
		"a route leads to its endpoint": {
			labels: route.Labels(route.Endpoint{Namespace: "billing", Name: "stripe"}),
			want:   []reconcile.Request{requestFor("billing", "stripe")},
		},
		"half a name leads nowhere": {labels: map[string]string{route.LabelEndpointName: "stripe"}},
		"no label leads nowhere":    {},
	} {
		t.Run(name, func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: c.labels}}
			got := enqueued(t, func(ctx context.Context, q requestQueue) {
				(&WebhookEndpointReconciler{}).endpointOfRoute().Create(ctx, event.CreateEvent{Object: client.Object(secret)}, q)
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// enqueued returns what a handler puts into the queue.
func enqueued(t *testing.T, handle func(context.Context, requestQueue)) []reconcile.Request {
	t.Helper()
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	handle(t.Context(), q)
	var requests []reconcile.Request
	for q.Len() > 0 {
		request, _ := q.Get()
		requests = append(requests, request)
		q.Done(request)
	}
	return requests
}
