package system

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/cluster"
)

// failoverBound is far more than a fail-over takes, which is what is left of the
// leader's Lease (15 s) after a crash, and one try (2 s) after a shutdown.
const failoverBound = 60 * time.Second

// Of two managers one leads, and the other is ready to: its caches are full. While
// nobody leads, the receivers do what they did.
func TestManagerThatStandsByTakesOver(t *testing.T) {
	w := newRunningWorld(t)
	w.withoutSharedManager()
	first := w.startLeader("manager-a")
	second := w.startManager("manager-b", "--leader-elect")
	if leads(w, second) {
		t.Fatal("both managers lead")
	}
	e := w.newEndpoint("github")

	crashed := w.measureFailover(e, second, 7, first.Kill)
	t.Logf("the leader was killed: another led after %.1f s and had the change programmed %.2f s later", crashed.leading.Seconds(), crashed.programmed.Seconds())

	first = w.startManager("manager-a", "--leader-elect")
	ended := w.measureFailover(e, first, 8, second.Terminate)
	t.Logf("the leader was told to end: another led after %.1f s and had the change programmed %.2f s later", ended.leading.Seconds(), ended.programmed.Seconds())
	if ended.leading >= crashed.leading {
		t.Errorf("a leader that is told to end does not hand over: another leads after %v, and after %v if it is killed", ended.leading, crashed.leading)
	}
}

// failover is how long it took until another manager led, and from then on until a
// change was programmed.
type failover struct{ leading, programmed time.Duration }

// measureFailover ends the leader, changes an endpoint, and waits for the next one.
func (w *world) measureFailover(e endpoint, next *cluster.Manager, inFlight int32, end func()) (took failover) {
	w.t.Helper()
	ended := time.Now()
	end()
	w.change(e, func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Delivery = &v1alpha1.DeliverySpec{MaxInFlight: new(inFlight)}
	})
	id := next.Name
	w.expectAcknowledged(w.github(e, id, "{}"), "accepted", id)
	w.awaitLeading(next)
	took.leading = time.Since(ended)
	w.awaitReady(e)
	took.programmed = time.Since(ended) - took.leading
	if took.leading+took.programmed > failoverBound {
		w.t.Errorf("the fail-over took %v, want less than %v", took.leading+took.programmed, failoverBound)
	}
	return took
}

// change edits the spec of an endpoint.
func (w *world) change(e endpoint, change with) {
	w.t.Helper()
	object := &v1alpha1.WebhookEndpoint{}
	w.must(shared.Client.Get(w.ctx, e.NamespacedName, object))
	change(&object.Spec)
	w.must(shared.Client.Update(w.ctx, object))
}

// A manager is ready when its caches are full, and not before: an update of the
// managers must not replace the one that knows everything by one that knows nothing.
func TestManagerIsReadyWhenItsCachesAreFull(t *testing.T) {
	w := newWorld(t)
	w.withoutSharedManager()
	rights := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "sallyport-manager"}}
	w.must(shared.Client.Delete(w.ctx, rights))
	m, err := shared.LaunchManager(w.ctx, cluster.ManagerOptions{Name: "manager-cold", PublicURL: publicURL})
	if err == nil {
		w.endManagerWithTest(m)
		w.expectCold(m)
	}
	w.must(shared.Apply(context.Background(), "config/rbac"))
	w.must(err)
	w.must(m.AwaitReady(w.ctx))
}

// expectCold checks that a manager that can't list anything says so.
func (w *world) expectCold(m *cluster.Manager) {
	w.t.Helper()
	for w.ctx.Err() == nil {
		answer, err := cluster.Get(w.ctx, m.HealthURL+"/readyz")
		if err != nil {
			continue // it is not listening yet
		}
		if answer.Status == http.StatusOK || !strings.Contains(answer.Body, "[-]caches failed") {
			w.t.Errorf("/readyz answers %d %q, want that the caches are not full", answer.Status, answer.Body)
		}
		if health, err := cluster.Get(w.ctx, m.HealthURL+"/healthz"); err != nil || health.Status != http.StatusOK {
			w.t.Errorf("/healthz answers %d (%v), want 200: a restart would not help", health.Status, err)
		}
		return
	}
	w.t.Errorf("%s does not answer:\n%s", m.Name, m.Tail(20))
}

// withoutSharedManager stops the manager of all tests until this one ends.
func (w *world) withoutSharedManager() {
	w.t.Helper()
	w.must(manager.Stop(w.ctx))
	w.t.Cleanup(func() {
		if err := startManager(context.Background()); err != nil {
			w.t.Fatal(err)
		}
	})
}

// startManager starts a manager that ends with the test.
func (w *world) startManager(name string, flags ...string) *cluster.Manager {
	w.t.Helper()
	m, err := shared.StartManager(w.ctx, cluster.ManagerOptions{Name: name, PublicURL: publicURL, Flags: flags})
	w.must(err)
	w.endManagerWithTest(m)
	return m
}

func (w *world) startLeader(name string) *cluster.Manager {
	w.t.Helper()
	m := w.startManager(name, "--leader-elect")
	w.awaitLeading(m)
	return m
}

func (w *world) endManagerWithTest(m *cluster.Manager) {
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the last lines of %s:\n%s", m.Name, m.Tail(20))
		}
		m.Kill()
	})
}

// awaitLeading waits until a manager leads. It tells that in its metrics only.
func (w *world) awaitLeading(m *cluster.Manager) {
	w.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !leads(w, m) {
		select {
		case <-ticker.C:
		case <-w.ctx.Done():
			w.t.Fatalf("%s does not lead:\n%s", m.Name, m.Tail(20))
		}
	}
}

func leads(w *world, m *cluster.Manager) bool {
	w.t.Helper()
	page, err := cluster.Get(w.ctx, m.MetricsURL+"/metrics")
	return err == nil && strings.Contains(page.Body, `leader_election_master_status{name="sallyport-manager"} 1`)
}
