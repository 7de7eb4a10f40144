package system

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	apply "sallyport.dev/sallyport/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/test/cluster"
)

// The chaos of the control plane.
const (
	chaosManagers  = 2
	chaosEndpoints = 24
	// chaosOutages is how often the API server is killed, each time after a pause of
	// chaosPause and up to as much again.
	chaosOutages = 2
	chaosPause   = 2500 * time.Millisecond
	// chaosKill is the share of the changes of routes after which a manager is killed at
	// once: it has published and not said so yet.
	chaosKill = 0.1
	// chaosRestart is the time until a manager that has ended is started again.
	chaosRestart = 100 * time.Millisecond
	// chaosTimeout bounds how long it takes until all is well again.
	chaosTimeout = time.Minute
	// chaosCalm is how long nothing may change then.
	chaosCalm = 1500 * time.Millisecond
)

// While endpoints, their Secret and their Service come, change and go, the API server
// and the managers are killed, two managers believe that they lead, and somebody else
// writes to what is theirs. Afterwards each endpoint is Ready with its current route,
// there is no other route, and nobody writes any more.
func TestControlPlaneConvergesAfterChaos(t *testing.T) {
	c := newChaos(t)
	var troubling sync.WaitGroup
	for _, trouble := range []func(*rand.Rand){c.edit, c.meddle, c.killManagers} {
		random := rand.New(rand.NewPCG(c.random.Uint64(), 0))
		troubling.Go(func() { trouble(random) })
	}
	c.killAPIServer()
	close(c.over)
	troubling.Wait()

	healed := time.Now()
	c.insist(c.ensureService)
	c.awaitConverged()
	t.Logf("%d changes, %d interferences, %d kills of managers, %d of the API server; converged after %.1f s with %d endpoints",
		c.changes, c.interferences, c.kills, chaosOutages, time.Since(healed).Seconds(), len(c.wanted))
	c.expectCalm()
	c.expectServed()
}

// chaos is a world in trouble.
type chaos struct {
	*world
	random *rand.Rand // of the goroutine of the test
	over   chan struct{}
	// wanted are the endpoints that there are to be, by name, with their maxInFlight.
	// Only edit writes it, and the test once that has ended.
	wanted map[string]int32
	secret string // the current value
	// What was done, each counted by one goroutine.
	changes, interferences, kills int

	mu      sync.Mutex
	running [chaosManagers]*cluster.Manager
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{world: newRunningWorld(t), over: make(chan struct{}), wanted: map[string]int32{}, secret: secretValue}
	c.allow(2 * chaosTimeout)
	c.random = rand.New(rand.NewPCG(seedOf(t), 0))
	c.withoutSharedManager()
	ended := make(chan struct{})
	var keeping sync.WaitGroup
	for slot := range chaosManagers {
		keeping.Go(func() { c.keepManager(slot, ended) })
	}
	t.Cleanup(func() {
		close(ended)
		keeping.Wait()
	})
	return c
}

// keepManager starts a manager whenever there is none, as a kubelet does, and ends it
// with the test.
func (c *chaos) keepManager(slot int, ended <-chan struct{}) {
	for {
		m, err := shared.LaunchManager(context.Background(), cluster.ManagerOptions{Name: fmt.Sprint("manager-", slot), PublicURL: publicURL})
		if err != nil {
			c.t.Errorf("start a manager: %v", err)
			return
		}
		c.mu.Lock()
		c.running[slot] = m
		c.mu.Unlock()
		select {
		case <-ended:
			if c.t.Failed() {
				c.t.Logf("the last lines of %s:\n%s", m.Name, m.Tail(20))
			}
			m.Kill()
			return
		case <-m.Exited():
			time.Sleep(chaosRestart)
		}
	}
}

// ends reports whether the trouble is over, after a pause.
func (c *chaos) ends(pause time.Duration) bool {
	select {
	case <-c.over:
		return true
	case <-time.After(pause):
		return false
	}
}

// edit is what users do: they make, change and delete endpoints, edit the Secret, and
// take the Service away and bring it back.
func (c *chaos) edit(random *rand.Rand) {
	for !c.ends(time.Duration(random.IntN(int(40 * time.Millisecond)))) {
		name := fmt.Sprint("e-", random.IntN(chaosEndpoints))
		c.changes++
		switch dice := random.IntN(20); {
		case dice < 12:
			c.wanted[name] = 1 + random.Int32N(1000)
			c.insist(func(ctx context.Context) error { return c.applyEndpoint(ctx, name, c.wanted[name]) })
		case dice < 17:
			delete(c.wanted, name)
			c.insist(func(ctx context.Context) error {
				return client.IgnoreNotFound(shared.Client.Delete(ctx, c.objectOf(name)))
			})
		case dice < 18:
			c.secret = fmt.Sprint("secret number ", random.Uint32())
			c.insist(func(ctx context.Context) error { return shared.Client.Update(ctx, c.world.secret(c.secret)) })
		default:
			c.insist(func(ctx context.Context) error { return client.IgnoreNotFound(shared.Client.Delete(ctx, c.service())) })
			c.insist(c.ensureService)
		}
	}
}

// insist does something until the API server has done it. It may do it twice: of a
// connection that breaks nobody knows what it brought about.
func (c *chaos) insist(do func(context.Context) error) {
	for c.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
		err := do(ctx)
		cancel()
		if err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (c *chaos) objectOf(name string) *v1alpha1.WebhookEndpoint {
	return &v1alpha1.WebhookEndpoint{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: name}}
}

func (c *chaos) applyEndpoint(ctx context.Context, name string, inFlight int32) error {
	endpoint := apply.WebhookEndpoint(name, c.namespace).WithSpec(apply.WebhookEndpointSpec().
		WithProvider("github").
		WithSecretRef(apply.SecretKeyReference().WithName(secretName)).
		WithTarget(apply.Target().WithService(apply.ServiceTarget().WithName(serviceName).WithPort(intstr.FromInt32(servicePort)))).
		WithDelivery(apply.DeliverySpec().WithMaxInFlight(inFlight)))
	return shared.Client.Apply(ctx, endpoint, client.FieldOwner("user"), client.ForceOwnership)
}

func (c *chaos) ensureService(ctx context.Context) error {
	err := shared.Client.Create(ctx, c.service())
	if err != nil {
		err = shared.Client.Get(ctx, client.ObjectKeyFromObject(c.service()), c.service())
	}
	return err
}

// meddle is somebody else who writes to what is the manager's. Nothing of it may last.
func (c *chaos) meddle(random *rand.Rand) {
	for !c.ends(time.Duration(random.IntN(int(80 * time.Millisecond)))) {
		name := fmt.Sprint("e-", random.IntN(chaosEndpoints))
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: route.SecretName(c.namespace, name)}}
		alias := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: route.ServiceName(name)}}
		merge := func(object client.Object, patch string) error {
			return shared.Client.Patch(c.ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))
		}
		var err error
		switch random.IntN(7) {
		case 0:
			err = merge(secret, `{"data":{"route.json":"e30="}}`)
		case 1:
			err = merge(secret, `{"data":{"key-9":"eA=="}}`)
		case 2:
			err = merge(secret, `{"metadata":{"labels":{"`+route.LabelRoute+`":null}}}`)
		case 3:
			err = shared.Client.Delete(c.ctx, secret)
		case 4:
			err = merge(alias, `{"spec":{"externalName":"elsewhere.example"}}`)
		case 5:
			err = shared.Client.Delete(c.ctx, alias)
		case 6:
			err = shared.Client.Status().Patch(c.ctx, c.objectOf(name), client.RawPatch(types.MergePatchType, []byte(`{"status":{"url":"https://elsewhere.example","conditions":[]}}`)))
		}
		if err == nil {
			c.interferences++
		}
	}
}

// killManagers watches routes, and kills a manager, or all, in the moment in which one
// has changed.
func (c *chaos) killManagers(random *rand.Rand) {
	for !c.ends(0) {
		watcher, err := shared.Client.Watch(c.ctx, &corev1.SecretList{}, client.InNamespace(cluster.Namespace))
		if err != nil {
			continue // the API server is away
		}
		c.killOnChange(random, watcher)
		watcher.Stop()
	}
}

func (c *chaos) killOnChange(random *rand.Rand, watcher watch.Interface) {
	for {
		select {
		case <-c.over:
			return
		case _, open := <-watcher.ResultChan():
			if !open {
				return
			}
			if random.Float64() < chaosKill {
				c.kill(random)
			}
		}
	}
}

func (c *chaos) kill(random *rand.Rand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	chosen := random.IntN(chaosManagers + 1)
	for slot, m := range c.running {
		if m != nil && (chosen == slot || chosen == chaosManagers) {
			m.Kill()
			c.running[slot] = nil
			c.kills++
		}
	}
}

// killAPIServer kills and restarts the API server, again and again.
func (c *chaos) killAPIServer() {
	for range chaosOutages {
		time.Sleep(chaosPause + time.Duration(c.random.Int64N(int64(chaosPause))))
		c.must(shared.KillAPIServer())
		time.Sleep(time.Duration(c.random.Int64N(int64(time.Second))))
		c.must(shared.StartAPIServer())
	}
	time.Sleep(chaosPause)
}

// awaitConverged waits until nothing is wrong any more.
func (c *chaos) awaitConverged() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, chaosTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		c.collectGarbage()
		wrong := c.wrong()
		if len(wrong) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			c.t.Fatalf("this is still wrong:\n%s", strings.Join(wrong, "\n"))
		}
	}
}

// wrong lists what is not as it should be.
func (c *chaos) wrong() (wrong []string) {
	complain := func(format string, arguments ...any) { wrong = append(wrong, fmt.Sprintf(format, arguments...)) }
	endpoints, routes, services := c.read()
	for name, inFlight := range c.wanted {
		e, found := endpoints[name]
		if !found {
			complain("there is no endpoint %s", name)
			continue
		}
		ready := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != e.Generation || e.Status.ObservedGeneration != e.Generation {
			complain("%s is not Ready in generation %d: %s", name, e.Generation, describeReady(ready))
		}
		if want := publicURL + "/" + c.namespace + "/" + name; e.Status.URL != want {
			complain("the URL of %s is %q, want %q", name, e.Status.URL, want)
		}
		if secret, ok := routes[name]; !ok {
			complain("%s has no route", name)
		} else if r, err := route.Decode(secret.Data); err != nil || r.Delivery.MaxInFlight != int(inFlight) || r.Endpoint.UID != string(e.UID) || string(r.Keys[0].Value.Reveal()) != c.secret {
			complain("the route of %s is not the current one (%v)", name, err)
		}
		if alias, ok := services[name]; !ok || !strings.HasPrefix(alias.Spec.ExternalName, "sallyport-receiver.") {
			complain("the Service of %s is %q", name, alias.Spec.ExternalName)
		}
	}
	for name := range endpoints {
		if _, ok := c.wanted[name]; !ok {
			complain("the endpoint %s is there", name)
		}
	}
	for name := range routes {
		if _, ok := c.wanted[name]; !ok {
			complain("the route of %s is an orphan", name)
		}
	}
	slices.Sort(wrong)
	return wrong
}

func describeReady(ready *metav1.Condition) string {
	if ready == nil {
		return "there is no condition"
	}
	return fmt.Sprintf("%s %s in generation %d: %s", ready.Status, ready.Reason, ready.ObservedGeneration, ready.Message)
}

// collectGarbage deletes the Services whose owners are gone, as a cluster's garbage
// collector would: there is none here.
func (c *chaos) collectGarbage() {
	c.t.Helper()
	endpoints, _, _ := c.read()
	var list corev1.ServiceList
	c.must(shared.Client.List(c.ctx, &list, client.InNamespace(c.namespace), client.HasLabels{route.LabelEndpointName}))
	for _, service := range list.Items {
		owner := metav1.GetControllerOf(&service)
		if owner != nil && owner.UID != endpoints[owner.Name].UID {
			c.must(client.IgnoreNotFound(shared.Client.Delete(c.ctx, &service)))
		}
	}
}

// read lists what there is, each by the name of its endpoint. Services of endpoints
// that are gone are left out.
func (c *chaos) read() (map[string]v1alpha1.WebhookEndpoint, map[string]corev1.Secret, map[string]corev1.Service) {
	c.t.Helper()
	var endpointList v1alpha1.WebhookEndpointList
	var routeList corev1.SecretList
	var serviceList corev1.ServiceList
	c.must(shared.Client.List(c.ctx, &endpointList, client.InNamespace(c.namespace)))
	c.must(shared.Client.List(c.ctx, &routeList, client.InNamespace(cluster.Namespace)))
	c.must(shared.Client.List(c.ctx, &serviceList, client.InNamespace(c.namespace), client.HasLabels{route.LabelEndpointName}))
	endpoints, routes, services := map[string]v1alpha1.WebhookEndpoint{}, map[string]corev1.Secret{}, map[string]corev1.Service{}
	for _, e := range endpointList.Items {
		endpoints[e.Name] = e
	}
	for _, secret := range routeList.Items {
		if namespace, name, ok := route.EndpointOf(secret.Name); ok && namespace == c.namespace {
			routes[name] = secret
		}
	}
	for _, service := range serviceList.Items {
		name := service.Labels[route.LabelEndpointName]
		if owner := metav1.GetControllerOf(&service); owner != nil && owner.UID == endpoints[name].UID {
			services[name] = service
		}
	}
	return endpoints, routes, services
}

// expectCalm checks that nobody writes any more, although two managers are at work.
func (c *chaos) expectCalm() {
	c.t.Helper()
	before := c.versions()
	time.Sleep(chaosCalm)
	after := c.versions()
	if !maps.Equal(before, after) {
		c.t.Errorf("something still changes: before\n%v\nand after\n%v", before, after)
	}
}

func (c *chaos) versions() map[string]string {
	c.t.Helper()
	versions := map[string]string{}
	endpoints, routes, services := c.read()
	for name, e := range endpoints {
		versions["endpoint "+name] = e.ResourceVersion
	}
	for name, secret := range routes {
		versions["route "+name] = secret.ResourceVersion
	}
	for name, service := range services {
		versions["Service "+name] = service.ResourceVersion
	}
	return versions
}

// expectServed checks that the receiver does what the API server says.
func (c *chaos) expectServed() {
	c.t.Helper()
	for i := range chaosEndpoints {
		name := fmt.Sprint("e-", i)
		answer := c.post(endpoint{path: "/" + c.namespace + "/" + name}, cluster.GitHub(c.secret, "push", name, []byte("{}")), "{}")
		want := http.StatusNotFound
		if _, ok := c.wanted[name]; ok {
			want = http.StatusOK
		}
		if answer.Status != want {
			c.t.Errorf("%s answers %d %q, want %d", name, answer.Status, answer.Body, want)
		}
	}
}
