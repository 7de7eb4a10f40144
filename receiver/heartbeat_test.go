package receiver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/test/apiserver"
)

// patience bounds every wait of these tests; nothing is measured by it.
const patience = 60 * time.Second

// scriptedRoutes are servedRoutes that a test moves.
type scriptedRoutes struct {
	mu      sync.Mutex
	served  string
	changed chan struct{}
	synced  chan struct{}
}

func newScriptedRoutes() *scriptedRoutes {
	return &scriptedRoutes{changed: make(chan struct{}, 1), synced: make(chan struct{})}
}

func (s *scriptedRoutes) Served() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served
}
func (s *scriptedRoutes) Changed() <-chan struct{} { return s.changed }
func (s *scriptedRoutes) Synced() <-chan struct{}  { return s.synced }

func (s *scriptedRoutes) move(version string) {
	s.mu.Lock()
	s.served = version
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// leases watches the Leases of a new namespace.
func leases(t *testing.T) (namespace string, events <-chan watch.Event) {
	t.Helper()
	created, err := apiserver.Client(t).CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "routes-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := apiserver.Client(t).CoordinationV1().Leases(created.Name).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return created.Name, w.ResultChan()
}

func newTestHeartbeat(t *testing.T, namespace string, routes servedRoutes) *heartbeat {
	t.Helper()
	return &heartbeat{client: apiserver.Client(t), namespace: namespace, identity: "receiver-1", routes: routes, logger: slog.New(slog.DiscardHandler), now: time.Now,
		redis: newTestHealth(&scriptedRedis{}, io.Discard), keyUse: func(time.Time) map[string]route.KeyUse { return nil }}
}

// awaitLease returns the first Lease that is served up to version.
func awaitLease(t *testing.T, events <-chan watch.Event, version string) *coordinationv1.Lease {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-events:
			if lease, ok := e.Object.(*coordinationv1.Lease); ok && lease.Annotations[route.AnnotationServed] == version {
				return lease
			}
		case <-deadline:
			t.Fatalf("no Lease says that it serves %s", version)
		}
	}
}

func TestLeaseTellsWhatIsServedUntilTheReceiverEnds(t *testing.T) {
	namespace, events := leases(t)
	routes := newScriptedRoutes()
	h := newTestHeartbeat(t, namespace, routes)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.run(ctx) })

	routes.move("7")
	close(routes.synced)
	lease := awaitLease(t, events, "7")
	if lease.Name != "sallyport-receiver-receiver-1" || *lease.Spec.HolderIdentity != "receiver-1" || *lease.Spec.LeaseDurationSeconds != 40 ||
		time.Since(lease.Spec.RenewTime.Time) > patience || lease.Labels[route.LabelReceiver] != "true" {
		t.Errorf("the Lease is %+v", lease)
	}

	for i := 8; i <= 100; i++ { // told together, and the last in any case
		routes.move(fmt.Sprint(i))
	}
	awaitLease(t, events, "100")

	cancel()
	running.Wait()
	for e := range events {
		if e.Type == watch.Deleted {
			return
		}
	}
	t.Error("the Lease is still there")
}

// The use of keys is told while there is a rotation, and not after it.
func TestLeaseTellsHowKeysAreUsed(t *testing.T) {
	namespace, events := leases(t)
	routes := newScriptedRoutes()
	h := newTestHeartbeat(t, namespace, routes)
	use := map[string]route.KeyUse{"billing/stripe": {PreviousEnds: 1700003600, CurrentFirst: 1700000000, PreviousLast: 1700000060}}
	h.keyUse = func(time.Time) map[string]route.KeyUse { return use }
	routes.move("7")
	if err := h.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := route.DecodeKeyUse(awaitLease(t, events, "7").Annotations[route.AnnotationKeyUse])
	if err != nil || len(got) != 1 || got["billing/stripe"] != use["billing/stripe"] {
		t.Errorf("the Lease tells %v (%v), want %v", got, err, use)
	}
	use = nil
	routes.move("8")
	if err := h.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, ok := awaitLease(t, events, "8").Annotations[route.AnnotationKeyUse]; ok {
		t.Errorf("the Lease tells %q after the rotation", text)
	}
}

func TestLeaseOfAnEarlierLifeIsTakenOver(t *testing.T) {
	namespace, events := leases(t)
	routes := newScriptedRoutes()
	earlier, later := newTestHeartbeat(t, namespace, routes), newTestHeartbeat(t, namespace, routes)
	routes.move("7")
	if err := earlier.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	routes.move("5")
	if err := later.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitLease(t, events, "5")
}

func TestReceiverThatServesNothingHasNoLease(t *testing.T) {
	namespace, _ := leases(t)
	h := newTestHeartbeat(t, namespace, newScriptedRoutes())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.run(ctx)
	found, err := apiserver.Client(t).CoordinationV1().Leases(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(found.Items) != 0 || h.written.Load() {
		t.Errorf("there are %d Leases (%v)", len(found.Items), err)
	}
}

func TestLeaseNameIsValidWhateverTheIdentity(t *testing.T) {
	for identity, want := range map[string]string{
		"sallyport-receiver-5d9f-x2x": "sallyport-receiver-sallyport-receiver-5d9f-x2x",
		"My_Host.local:8080":          "sallyport-receiver-my-host.local-8080",
		"[::1]:8080":                  "sallyport-receiver-1--8080",
	} {
		if got := (&heartbeat{identity: identity}).name(); got != want {
			t.Errorf("the Lease of %q is called %q, want %q", identity, got, want)
		}
	}
}
