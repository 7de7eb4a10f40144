package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/redistest"
)

// The Service and the Secret of every world.
const (
	serviceName = "orders"
	servicePort = 8080
	secretName  = "webhook"
	secretValue = "a secret that only the provider knows"
)

var worlds atomic.Int64

// world is what one test plays in: a namespace with a Service, a Redis, a
// receiver, and a target that stands for the Service.
type world struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	redis     *redistest.Server
	target    *cluster.Target
	receiver  *cluster.Receiver
}

// newWorld makes a world without a receiver; most tests want newRunningWorld.
func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, namespace: fmt.Sprintf("team-%d", worlds.Add(1))}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	w.create(w.service())
	w.create(w.secret(secretValue))
	t.Cleanup(w.removeEndpoints)

	w.redis = redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")
	w.adoptRedis()
	t.Cleanup(func() { shared.Disown(w.redisNote()) })
	w.target = w.startTarget()
	return w
}

// newRunningWorld makes a world with a receiver.
func newRunningWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.receiver = w.startReceiver("a")
	return w
}

// receiverOptions are those of a receiver of this world; suffix tells several apart.
func (w *world) receiverOptions(suffix string) cluster.ReceiverOptions {
	return cluster.ReceiverOptions{
		Name: w.namespace + "-receiver-" + suffix, RedisURL: w.redis.URL(),
		ConnectTo: map[string]string{fmt.Sprintf("%s/%s:%d", w.namespace, serviceName, servicePort): w.target.Address},
	}
}

// startReceiver starts a receiver that ends with the test.
func (w *world) startReceiver(suffix string) *cluster.Receiver {
	w.t.Helper()
	r, err := shared.StartReceiver(w.ctx, w.receiverOptions(suffix))
	w.must(err)
	w.endWithTest(r)
	return r
}

// endWithTest ends a receiver with the test, and shows its log if that failed.
func (w *world) endWithTest(r *cluster.Receiver) {
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the last lines of %s:\n%s", r.Name, r.Tail(20))
		}
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			w.t.Error(err)
		}
	})
}

// removeLeases takes back the Lease that a killed receiver leaves: the manager
// would wait for it to end before other endpoints are Ready.
func removeLeases(ctx context.Context, t *testing.T, holder string) {
	t.Helper()
	var leases coordinationv1.LeaseList
	if err := shared.Client.List(ctx, &leases, client.InNamespace(cluster.Namespace)); err != nil {
		t.Error(err)
	}
	for _, lease := range leases.Items {
		if h := lease.Spec.HolderIdentity; h == nil || *h != holder {
			continue
		}
		if err := client.IgnoreNotFound(shared.Client.Delete(ctx, &lease)); err != nil {
			t.Error(err)
		}
	}
}

// removeEndpoints keeps one test's endpoints from the receivers of the next.
func (w *world) removeEndpoints() {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if err := shared.Client.DeleteAllOf(ctx, &v1alpha1.WebhookEndpoint{}, client.InNamespace(w.namespace)); err != nil {
		w.t.Error(err)
	}
}

func (w *world) startTarget() *cluster.Target {
	w.t.Helper()
	target, err := cluster.StartTarget(w.ctx)
	w.must(err)
	w.t.Cleanup(target.Close)
	return target
}

// restartRedis brings Redis back with what its append-only file has.
func (w *world) restartRedis() {
	w.t.Helper()
	w.redis.Restart()
	w.adoptRedis()
}

func (w *world) adoptRedis() {
	w.t.Helper()
	w.must(shared.Adopt(w.redisNote(), w.redis.PID()))
}

func (w *world) redisNote() string { return w.namespace + "-redis" }

func (w *world) service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: serviceName},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: servicePort}}},
	}
}

func (w *world) secret(value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: secretName},
		Data:       map[string][]byte{"secret": []byte(value)},
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.must(shared.Client.Create(w.ctx, object))
}

// endpoint is a WebhookEndpoint that a test sends to.
type endpoint struct {
	types.NamespacedName
	path string
}

// with changes the spec of an endpoint before it is made.
type with func(*v1alpha1.WebhookEndpointSpec)

// newEndpoint makes an endpoint and waits until it is Ready.
func (w *world) newEndpoint(provider string, changes ...with) endpoint {
	w.t.Helper()
	e := w.newUnreadyEndpoint(provider, changes...)
	w.awaitReady(e)
	return e
}

// newUnreadyEndpoint makes an endpoint and waits for nothing.
func (w *world) newUnreadyEndpoint(provider string, changes ...with) endpoint {
	w.t.Helper()
	object := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: provider},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  provider,
			SecretRef: &v1alpha1.SecretKeyReference{Name: secretName},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: serviceName, Port: intstr.FromInt32(servicePort), Path: "/in"}},
		},
	}
	for _, change := range changes {
		change(&object.Spec)
	}
	w.create(object)
	return endpoint{client.ObjectKeyFromObject(object), "/" + w.namespace + "/" + object.Name}
}

// withQuickRetries bounds an attempt by timeout and has failed ones repeated soon.
func withQuickRetries(timeout time.Duration) with {
	return func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Delivery = &v1alpha1.DeliverySpec{
			Timeout: &metav1.Duration{Duration: timeout},
			Retry: &v1alpha1.RetrySpec{
				MinBackoff: &metav1.Duration{Duration: 100 * time.Millisecond},
				MaxBackoff: &metav1.Duration{Duration: 500 * time.Millisecond},
				// A target that hangs for a while must not turn events into dead letters.
				MaxAttempts: new(int32(100)),
			},
		}
	}
}

func (w *world) awaitReady(e endpoint) {
	w.t.Helper()
	_, err := shared.AwaitReady(w.ctx, e.NamespacedName)
	w.must(err)
}

// github sends a webhook as GitHub does and returns the answer.
func (w *world) github(e endpoint, id, body string) cluster.Answer {
	w.t.Helper()
	return w.post(e, cluster.GitHub(secretValue, "push", id, []byte(body)), body)
}

func (w *world) post(e endpoint, header http.Header, body string) cluster.Answer {
	w.t.Helper()
	answer, err := cluster.Post(w.ctx, w.receiver.URL+e.path, header, []byte(body))
	w.must(err)
	return answer
}

// said is the body of a 2xx answer.
type said struct {
	Status    string `json:"status"`
	EventID   string `json:"eventId"`
	RequestID string `json:"requestId"`
}

// expectAcknowledged checks that an answer acknowledges an event with a status,
// accepted or duplicate.
func (w *world) expectAcknowledged(answer cluster.Answer, status, eventID string) said {
	w.t.Helper()
	if answer.Status != http.StatusOK {
		w.t.Fatalf("the answer is %d %q, want 200", answer.Status, answer.Body)
	}
	var got said
	if err := json.Unmarshal([]byte(answer.Body), &got); err != nil {
		w.t.Fatalf("the answer is no JSON: %v: %q", err, answer.Body)
	}
	if got.Status != status || got.EventID != eventID || got.RequestID == "" {
		w.t.Fatalf("the answer says %+v, want status %q, event id %q and a request id", got, status, eventID)
	}
	return got
}

// expectPutOff checks that an answer asks the sender to try again.
func (w *world) expectPutOff(answer cluster.Answer) {
	w.t.Helper()
	if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		w.t.Fatalf("the answer is %d %q with Retry-After %q, want 503 and a Retry-After", answer.Status, answer.Body, answer.Header.Get("Retry-After"))
	}
}

// expectAlive checks that a receiver has not ended by itself.
func (w *world) expectAlive(r *cluster.Receiver) {
	w.t.Helper()
	select {
	case <-r.Exited():
		w.t.Fatalf("%s has ended:\n%s", r.Name, r.Tail(20))
	default:
	}
}

// awaitDelivery waits until the target has got an event.
func (w *world) awaitDelivery(eventID string) cluster.Received {
	w.t.Helper()
	got, err := w.target.Requests.Await(w.ctx, func(r cluster.Received) bool { return r.EventID() == eventID })
	w.must(err)
	return got
}

// awaitOutcome waits for an outcome of an event in the audit log of the receiver.
func (w *world) awaitOutcome(status audit.Status, eventID string) audit.Record {
	w.t.Helper()
	got, err := w.receiver.Audit.Await(w.ctx, func(r audit.Record) bool { return r.Status == status && r.EventID == eventID })
	w.must(err)
	return got
}

// finish ends a receiver in good order. What it has not done by then, it never will.
func (w *world) finish(r *cluster.Receiver) {
	w.t.Helper()
	w.must(r.Stop(w.ctx))
	if code, err := r.ExitCode(w.ctx); err != nil || code != 0 {
		w.t.Fatalf("%s ended with code %d (%v), want 0:\n%s", r.Name, code, err, r.Tail(20))
	}
}

// deliveries counts the requests that the target got by event.
func (w *world) deliveries() map[string]int {
	counts := map[string]int{}
	for _, r := range w.target.Requests.All() {
		counts[r.EventID()]++
	}
	return counts
}
