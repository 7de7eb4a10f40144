package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/apiserver"
	"sallyport.dev/sallyport/test/redistest"
)

// running is a whole receiver in this process.
type running struct {
	*receiver
	t         *testing.T
	namespace string
	leases    <-chan watch.Event
	audit     *bytes.Buffer // to be read after stop
	cancel    context.CancelFunc
	ended     chan error
}

// startReceiver starts a receiver with the test route, and waits for its Lease.
func startReceiver(t *testing.T, redisURL, target string) *running {
	t.Helper()
	return startReceiverOf(t, testRoute(), redisURL, target)
}

func startReceiverOf(t *testing.T, r route.Route, redisURL, target string) *running {
	t.Helper()
	namespace, events := leases(t)
	published := publish(t, namespace, r)
	g := &running{t: t, namespace: namespace, leases: events, audit: new(bytes.Buffer), ended: make(chan error, 1)}
	var err error
	g.receiver, err = assemble(Options{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", RedisURL: redisURL, RouteNamespace: namespace, ClusterDomain: "cluster.local",
		ConnectTo: map[string]string{"billing/billing-api:8080": target}, ShutdownGrace: 20 * time.Second, Identity: "receiver-1",
		Kubernetes: apiserver.Config(t), AuditLog: g.audit, JournalRecords: 100, MaxQueuedBytes: store.DefaultMaxQueuedBytes,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	go func() { g.ended <- g.run(ctx) }()
	t.Cleanup(cancel)
	if lease := awaitAnyLease(t, events); lease.Annotations[route.AnnotationServed] < published.ResourceVersion {
		t.Errorf("the first Lease says that %s is served, the route is %s", lease.Annotations[route.AnnotationServed], published.ResourceVersion)
	}
	return g
}

// publish writes a route as the manager does.
func publish(t *testing.T, namespace string, r route.Route) *corev1.Secret {
	t.Helper()
	o := objectOf(t, r)
	published, err := apiserver.Client(t).CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: o.Name, Labels: route.Labels(r.Endpoint), Annotations: route.Annotations(r)},
		Type:       route.SecretType, Data: o.Data,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return published
}

func awaitAnyLease(t *testing.T, events <-chan watch.Event) *coordinationv1.Lease {
	t.Helper()
	select {
	case e := <-events:
		return e.Object.(*coordinationv1.Lease)
	case <-time.After(patience):
		t.Fatal("there is no Lease")
		return nil
	}
}

// stop ends the receiver and returns its audit records.
func (g *running) stop() []audit.Record {
	g.t.Helper()
	g.cancel()
	select {
	case err := <-g.ended:
		if err != nil {
			g.t.Errorf("the receiver ends with %v", err)
		}
	case <-time.After(patience):
		g.t.Fatal("the receiver does not end")
	}
	var records []audit.Record
	for decoder := json.NewDecoder(g.audit); ; {
		var r audit.Record
		if err := decoder.Decode(&r); errors.Is(err, io.EOF) {
			return records
		} else if err != nil {
			g.t.Fatal(err)
		}
		records = append(records, r)
	}
}

func (g *running) post(id, body string) (status int, text string) {
	g.t.Helper()
	return g.postTo(testPath, id, body)
}

func (g *running) postTo(path, id, body string) (status int, text string) {
	g.t.Helper()
	return g.do(http.MethodPost, "http://"+g.webhooks.listener.Addr().String()+path, signed(id, []byte(body)), body)
}

func (g *running) readyz() (status int, text string) {
	g.t.Helper()
	return g.do(http.MethodGet, "http://"+g.admin.listener.Addr().String()+"/readyz", nil, "")
}

func (g *running) do(method, url string, header http.Header, body string) (status int, text string) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func TestReceiverTakesStoresAndDelivers(t *testing.T) {
	redis := redistest.Start(t)
	delivered := make(chan string, 10)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		delivered <- r.Header.Get("Sallyport-Event-Id") + " " + string(body)
	}))
	defer target.Close()
	g := startReceiver(t, redis.URL(), target.Listener.Addr().String())

	const body = "{\"a\":\"\xff\"}\r\n"
	if status, text := g.post("evt_1", body); status != 200 || !strings.Contains(text, `"accepted"`) {
		t.Fatalf("the answer is %d %s", status, text)
	}
	select {
	case got := <-delivered:
		if got != "evt_1 "+body {
			t.Errorf("the target got %q", got)
		}
	case <-time.After(patience):
		t.Fatal("nothing is delivered")
	}
	if status, text := g.post("evt_1", body); status != 200 || !strings.Contains(text, `"duplicate"`) {
		t.Errorf("the answer to a copy is %d %s", status, text)
	}

	outcomes := map[audit.Status]int{}
	for _, r := range g.stop() {
		outcomes[r.Status]++
		if r.Receiver != "receiver-1" {
			t.Errorf("a record is of receiver %q", r.Receiver)
		}
	}
	if outcomes[audit.Accepted] != 1 || outcomes[audit.Duplicate] != 1 || outcomes[audit.Delivered] != 1 {
		t.Errorf("the audit log has %v", outcomes)
	}
	wantJournal(t, redis, 3)
	for e := range g.leases {
		if e.Type == watch.Deleted {
			return
		}
	}
}

// wantJournal wants so many records in Redis, where they are when the receiver has ended.
func wantJournal(t *testing.T, redis *redistest.Server, want int) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: redis.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	records, err := s.Journal(t.Context(), "billing/stripe", 100)
	if err != nil || len(records) != want {
		t.Errorf("%d records are kept, %v, want %d", len(records), err, want)
	}
	traffic, err := s.Traffic(t.Context(), []string{"billing/stripe"})
	if got := traffic["billing/stripe"]; err != nil || got.LastReceived.IsZero() || got.LastDelivered.IsZero() {
		t.Errorf("the traffic is %+v, %v", got, err)
	}
}

func TestReceiverStartsWithoutRedisSaysSoAndRecovers(t *testing.T) {
	redis := redistest.Start(t)
	redis.Kill()
	hasty := testRoute()
	hasty.AckTime = route.Duration(time.Second) // its senders are put off after 800 ms
	g := startReceiverOf(t, hasty, redis.URL(), "127.0.0.1:1")
	if status, text := g.readyz(); status != 503 || !strings.Contains(text, "redis") {
		t.Errorf("/readyz answers %d %q", status, text)
	}
	if status, _ := g.post("evt_1", "{}"); status != 503 {
		t.Errorf("the answer without Redis is %d", status)
	}
	redis.Restart()
	for deadline := time.Now().Add(patience); ; {
		if status, text := g.readyz(); status == 200 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("/readyz answers %d %q although Redis is back", status, text)
		}
	}
	if status, text := g.post("evt_1", "{}"); status != 200 {
		t.Errorf("the answer with Redis is %d %s", status, text)
	}
	g.stop()
}

// The Lease says how Redis is, without waiting for its renewal.
func TestLeaseSaysThatRedisIsAwayOrFullAndBack(t *testing.T) {
	redis := redistest.Start(t)
	g := startReceiver(t, redis.URL(), "127.0.0.1:1")
	g.awaitStore(route.StoreUp)
	for _, step := range []struct {
		do    func()
		state route.StoreState
	}{
		{redis.Kill, route.StoreAway},
		{redis.Restart, route.StoreUp},
		{func() { redis.Do("CONFIG SET maxmemory 1") }, route.StoreFull},
	} {
		step.do()
		begun := time.Now()
		g.awaitStore(step.state)
		t.Logf("the Lease says %s after %v", step.state, time.Since(begun).Round(time.Millisecond))
	}
	g.stop()
}

// awaitStore waits for a Lease that says that the store is in a state.
func (g *running) awaitStore(state route.StoreState) {
	g.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-g.leases:
			lease := e.Object.(*coordinationv1.Lease)
			if view, err := route.ParseStoreView(lease.Annotations[route.AnnotationStore]); err == nil && view.State == state {
				return
			}
		case <-deadline:
			g.t.Fatalf("no Lease says that the store is %s", state)
		}
	}
}

// Requests in flight are answered, however the end of the receiver falls.
func TestRequestInFlightIsAnsweredWhenTheReceiverEnds(t *testing.T) {
	g := startReceiver(t, redistest.Start(t).URL(), "127.0.0.1:1")
	body, sender := io.Pipe()
	header := signed("evt_1", []byte("{}"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.webhooks.listener.Addr().String()+testPath, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	answered := make(chan int, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			answered <- 0
			return
		}
		_ = response.Body.Close()
		answered <- response.StatusCode
	})
	if _, err := io.WriteString(sender, "{"); err != nil {
		t.Fatal(err)
	}
	for { // until the handler has begun to read
		if _, metrics := g.do(http.MethodGet, "http://"+g.admin.listener.Addr().String()+"/metrics", nil, ""); !strings.Contains(metrics, "sallyport_body_bytes 0\n") {
			break
		}
	}
	g.cancel()
	for { // until no new connection is taken
		conn, err := net.Dial("tcp", g.webhooks.listener.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	if status, text := g.readyz(); status != 503 || !strings.Contains(text, "shutting down") {
		t.Errorf("/readyz answers %d %q", status, text)
	}
	if _, err := io.WriteString(sender, "}"); err != nil {
		t.Fatal(err)
	}
	_ = sender.Close()
	if status := <-answered; status != 200 {
		t.Errorf("the request in flight is answered %d", status)
	}
	sending.Wait()
	g.stop()
}

// Deliveries must not begin before the routes are there: their targets would count as
// gone.
func TestDeliveriesBeginWhenTheRoutesAreThere(t *testing.T) {
	namespace, _ := leases(t)
	watcher := route.NewWatcher(route.NewLive("cluster.local"), apiserver.Client(t), namespace, slog.New(slog.DiscardHandler))
	routed := make(chan bool, 2)
	deliver := func(context.Context) {
		select {
		case <-watcher.Synced():
			routed <- true
		default:
			routed <- false
		}
	}

	ended, end := context.WithCancel(t.Context())
	end()
	whenClosed(ended, watcher.Synced(), deliver) // returns, though no routes ever came
	if len(routed) > 0 {
		t.Fatal("deliveries began without routes")
	}

	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	parts.Go(func() { whenClosed(ctx, watcher.Synced(), deliver) })
	parts.Go(func() { watcher.Run(ctx) })
	select {
	case routed := <-routed:
		if !routed {
			t.Error("deliveries began before the routes were there")
		}
	case <-time.After(patience):
		t.Error("deliveries don't begin")
	}
}

func TestReceiverThatCannotStartSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	good := Options{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", RedisURL: "redis://127.0.0.1:1", RouteNamespace: "default", ClusterDomain: "cluster.local",
		ShutdownGrace: time.Second, Identity: "receiver-1", Kubernetes: apiserver.Config(t), AuditLog: io.Discard, Logger: slog.New(slog.DiscardHandler),
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel() // a receiver that starts nevertheless ends at once
	for name, test := range map[string]struct {
		change func(*Options)
		says   string
		wrong  bool
	}{
		"a Redis URL":      {func(o *Options) { o.RedisURL = "redis://u:hunter2@[::1" }, "redis", true},
		"a taken address":  {func(o *Options) { o.Listen = taken.Addr().String() }, taken.Addr().String(), false},
		"an admin address": {func(o *Options) { o.AdminListen = taken.Addr().String() }, taken.Addr().String(), false},
	} {
		o := good
		test.change(&o)
		err := Run(ended, o)
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") || errors.Is(err, ErrOptions) != test.wrong {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
