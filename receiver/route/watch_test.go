package route

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/kubernetes"

	"sallyport.dev/sallyport/test/apiserver"
	"sallyport.dev/sallyport/test/redistest"
)

// patience bounds every wait of these tests; nothing is measured by it.
const patience = 60 * time.Second

// watched is a namespace with a Watcher.
type watched struct {
	*Watcher
	t         *testing.T
	namespace string
}

func newNamespace(t *testing.T) string {
	t.Helper()
	created, err := apiserver.Client(t).CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "routes-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created.Name
}

// watchNamespace runs a Watcher until the test ends.
func watchNamespace(t *testing.T, namespace string) *watched {
	t.Helper()
	return watchNamespaceBy(t, apiserver.Client(t), namespace)
}

func watchNamespaceBy(t *testing.T, client kubernetes.Interface, namespace string) *watched {
	t.Helper()
	w := NewWatcher(NewLive("cluster.local"), client, namespace, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return &watched{Watcher: w, t: t, namespace: namespace}
}

func secretOf(t *testing.T, r Route) *corev1.Secret {
	t.Helper()
	o := testObject(t, r)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: o.Name, Labels: Labels(r.Endpoint), Annotations: Annotations(r)},
		Type:       SecretType, Data: o.Data,
	}
}

func createSecret(t *testing.T, namespace string, s *corev1.Secret) *corev1.Secret {
	t.Helper()
	created, err := apiserver.Client(t).CoreV1().Secrets(namespace).Create(t.Context(), s, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// awaitServed waits until the Watcher serves a resourceVersion, as the manager does.
func (w *watched) awaitServed(version string) {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		if order, err := resourceversion.CompareResourceVersion(w.Served(), version); err == nil && order >= 0 {
			return
		}
		select {
		case <-w.Changed():
		case <-deadline:
			w.t.Fatalf("the Watcher serves %q, want %q", w.Served(), version)
		}
	}
}

func (w *watched) awaitSynced() {
	w.t.Helper()
	select {
	case <-w.Synced():
	case <-time.After(patience):
		w.t.Fatal("the Watcher has not listed the routes")
	}
}

func TestWatcherHasEveryRouteWhenItIsSynced(t *testing.T) {
	namespace := newNamespace(t)
	const n = 50
	var last *corev1.Secret
	for i := range n {
		last = createSecret(t, namespace, secretOf(t, testRoute(fmt.Sprint("e-", i))))
	}
	unlabelled := secretOf(t, testRoute("unlabelled"))
	unlabelled.Labels = nil
	createSecret(t, namespace, unlabelled)
	otherType := secretOf(t, testRoute("other-type"))
	otherType.Type = corev1.SecretTypeOpaque
	createSecret(t, namespace, otherType)

	w := watchNamespace(t, namespace)
	w.awaitSynced()
	if got := w.live.Table().Len(); got != n {
		t.Errorf("%d routes are in the table, want %d", got, n)
	}
	w.awaitServed(last.ResourceVersion)
}

func TestWatcherServesNothingBeforeItIsSynced(t *testing.T) {
	w := NewWatcher(NewLive("cluster.local"), nil, "default", slog.New(slog.DiscardHandler))
	if w.Served() != "" {
		t.Errorf("a Watcher that does not run serves %q", w.Served())
	}
	if err := (*sink)(w).Add(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "0"}}); err != nil {
		t.Fatal(err)
	}
	w.apply()
	if w.Served() != "" {
		t.Errorf("an ill-formed resourceVersion is published: %q", w.Served())
	}
}

func TestWatcherFollowsChanges(t *testing.T) {
	namespace := newNamespace(t)
	w := watchNamespace(t, namespace)
	w.awaitSynced()

	created := createSecret(t, namespace, secretOf(t, testRoute("stripe")))
	w.awaitServed(created.ResourceVersion)
	if entry := w.live.Table().Lookup("/billing/stripe", ""); entry == nil || entry.Unavailable() != "" {
		t.Fatalf("the new route is answered by %+v", entry)
	}

	moved := testRoute("stripe")
	moved.Path = "/billing/moved"
	update := secretOf(t, moved)
	updated, err := apiserver.Client(t).CoreV1().Secrets(namespace).Update(t.Context(), update, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaitServed(updated.ResourceVersion)
	if table := w.live.Table(); table.Lookup("/billing/moved", "") == nil || table.Lookup("/billing/stripe", "") != nil {
		t.Error("the route has not moved")
	}

	if err := apiserver.Client(t).CoreV1().Secrets(namespace).Delete(t.Context(), updated.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	other := createSecret(t, namespace, secretOf(t, testRoute("other")))
	w.awaitServed(other.ResourceVersion)
	if w.live.Table().Endpoint("billing/stripe") != nil {
		t.Error("the deleted route is still there although a later version is served")
	}
}

func TestWatcherServesAChangeThatMeansNothing(t *testing.T) {
	namespace := newNamespace(t)
	created := createSecret(t, namespace, secretOf(t, testRoute("stripe")))
	w := watchNamespace(t, namespace)
	w.awaitServed(created.ResourceVersion)
	table := w.live.Table()

	created.Labels["team"] = "billing"
	updated, err := apiserver.Client(t).CoreV1().Secrets(namespace).Update(t.Context(), created, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.awaitServed(updated.ResourceVersion)
	if w.live.Table() != table {
		t.Error("a label has made another table")
	}
}

// An API server that is away must not be felt outside.
func TestWatcherKeepsItsTableWhileTheAPIServerIsAwayAndCatchesUp(t *testing.T) {
	namespace := newNamespace(t)
	created := createSecret(t, namespace, secretOf(t, testRoute("stripe")))
	server, err := url.Parse(apiserver.Config(t).Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := redistest.StartProxy(t, server.Host)
	behind := apiserver.Config(t)
	behind.Host = "https://" + proxy.Addr
	client, err := kubernetes.NewForConfig(behind)
	if err != nil {
		t.Fatal(err)
	}
	w := watchNamespaceBy(t, client, namespace)
	w.awaitServed(created.ResourceVersion)
	table := w.live.Table()

	const cuts = 5 // the watch, and some attempts to come back
	proxy.LoseReplies(cuts)
	later := createSecret(t, namespace, secretOf(t, testRoute("later")))
	for deadline := time.Now().Add(patience); !proxy.Lost(); {
		if got := w.live.Table(); got != table && got.Len() < 1 {
			t.Fatal("the routes are gone with the API server")
		}
		if time.Now().After(deadline) {
			t.Fatal("the Watcher does not try to come back")
		}
		runtime.Gosched()
	}
	w.awaitServed(later.ResourceVersion)
	if now := w.live.Table(); now.Lookup("/billing/later", "") == nil || now.Endpoint("billing/stripe") != table.Endpoint("billing/stripe") {
		t.Error("the routes are not complete when the API server is back")
	}
}

// A burst is applied in a few swaps, and a list replaces whatever was pending.
func TestWatcherAppliesWhatIsPendingTogether(t *testing.T) {
	w := NewWatcher(NewLive("cluster.local"), nil, "default", slog.New(slog.DiscardHandler))
	versioned := func(name, version string) *corev1.Secret {
		s := secretOf(t, testRoute(name))
		s.ResourceVersion = version
		return s
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store := (*sink)(w)
	must(store.Replace([]any{versioned("a", "5"), versioned("b", "6")}, "7"))
	must(store.Add(versioned("c", "8")))
	must(store.Delete(versioned("a", "9")))
	must(store.Bookmark("12"))
	w.apply()
	table := w.live.Table()
	if w.Served() != "12" || table.Len() != 2 || table.Endpoint("billing/a") != nil || table.Endpoint("billing/c") == nil {
		t.Errorf("%d routes are served at %s", table.Len(), w.Served())
	}
	<-w.Changed()

	must(store.Bookmark("11"))
	w.apply()
	if w.Served() != "12" {
		t.Errorf("an old bookmark has moved the version to %s", w.Served())
	}
	must(store.Bookmark("13"))
	w.apply()
	select {
	case <-w.Changed():
		t.Error("a bookmark is told as a change")
	default:
	}

	must(store.Replace([]any{versioned("a", "3")}, "4")) // etcd was restored from a backup
	w.apply()
	if w.Served() != "4" || w.live.Table().Len() != 1 {
		t.Errorf("after a restore %d routes are served at %s", w.live.Table().Len(), w.Served())
	}
	if store.Add("no Secret") == nil || store.Replace([]any{"no Secret"}, "1") == nil {
		t.Error("what is no Secret is taken")
	}
}
