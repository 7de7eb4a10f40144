package system

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/redistest"
)

const (
	// pointEvents are sent around each crash, by so many senders.
	pointEvents  = 120
	pointSenders = 8
	// laneTimeout bounds a lane, on a machine that does a lot else, too. An idle one
	// with two processors needs less than a minute.
	laneTimeout = 4 * time.Minute
	// premature is for how long a command is held back before its receiver dies. A
	// receiver that tells somebody of what Redis has not done yet does so meanwhile.
	premature = 30 * time.Millisecond
)

// point is a scene with a moment: one crash.
type point struct {
	scene
	moment moment
	// nth is the run of the script at which the receiver dies.
	nth      int
	seed     uint64
	endpoint endpoint
	victim   *actor
	armed    atomic.Bool   // from now on the victim may die
	dead     chan struct{} // closed when it is

	mu   sync.Mutex
	runs int                  // of the script, by the victim
	hit  *redistest.ScriptRun // the nth
}

// id of an event says to which point it belongs.
func (p *point) id(n int) string { return fmt.Sprintf("%s-%s-%d", p.name, p.moment, n) }

// over says whether the victim is dead.
func (p *point) over() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// draw returns 0 to 99 for an event and a target of it.
func (p *point) draw(a attempt) uint64 {
	return rand.New(rand.NewPCG(p.seed, hashOf(a.member))).Uint64N(100)
}

func hashOf(text string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text))
	return hash.Sum64()
}

// strikes says whether it is at this run that the victim dies.
func (p *point) strikes(run *redistest.ScriptRun) bool {
	if run.Script != p.script || !p.armed.Load() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runs++; p.runs == p.nth {
		p.hit = run
	}
	return p.hit == run
}

func (p *point) struck(run *redistest.ScriptRun) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hit == run
}

// lane is a world with its own Redis, one receiver that lives, and one that dies
// and comes back.
type lane struct {
	*world
	points       []*point
	scripts      map[string]string // sources, by name
	log          *store.Store
	survivor     *actor
	actors       []*actor // all that ever were; of the goroutine of the test
	acknowledged *cluster.Journal[acknowledged]
	senders      sync.WaitGroup

	mu         sync.Mutex
	deliveries map[string]*delivery // by their members, see memberOf
	held       map[string]*point    // whose command comes late, by what it is about
}

// actor is one process of a receiver, behind a proxy that knows what it has Redis
// do, and with targets of its own.
type actor struct {
	*life
	lane  *lane
	point *point // at which it dies; nil: it doesn't
	proxy *redistest.ScriptProxy
	// recorded are the deliveries whose end Redis has taken down for it, by their
	// members.
	recorded map[string]bool
}

// attempt is one request to a target.
type attempt struct {
	by      *actor
	member  string // of the delivery
	earlier int    // attempts of that delivery, whoever made them
}

// acknowledged says who gave an event a 2xx.
type acknowledged struct {
	id string
	by *actor
}

func newLane(t *testing.T, seed uint64, scenes []scene) *lane {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{
		world: newWorld(t), scripts: redistest.ReadScripts(t, filepath.Join(root, "receiver", "store", "lua")),
		acknowledged: cluster.NewJournal[acknowledged](), deliveries: map[string]*delivery{}, held: map[string]*point{},
	}
	l.allow(laneTimeout)
	t.Cleanup(l.senders.Wait) // a test that fails must not end before its senders
	l.redis.Kill()
	l.redis = redistest.Start(t) // no crash of it here, so no file
	l.adoptRedis()
	l.loadScripts()
	l.log, err = store.Open(l.ctx, store.Options{URL: l.redis.URL()})
	l.must(err)
	t.Cleanup(func() { _ = l.log.Close() })
	for _, s := range scenes {
		for _, m := range s.moments {
			p := &point{scene: s, moment: m, dead: make(chan struct{})}
			p.seed = seed + hashOf(p.id(0))
			p.nth = 1 + rand.New(rand.NewPCG(p.seed, 0)).IntN(s.most)
			p.endpoint = l.endpointOf(p)
			l.points = append(l.points, p)
		}
	}
	l.survivor = l.launch(nil)
	for _, p := range l.points {
		l.awaitReady(p.endpoint)
	}
	return l
}

// allow gives a test that waits for leases more time than others have.
func (w *world) allow(d time.Duration) {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	w.t.Cleanup(cancel)
	w.ctx = ctx
}

// loadScripts has Redis know the scripts, so that it runs each that it is asked to.
func (l *lane) loadScripts() {
	l.t.Helper()
	for _, source := range l.scripts {
		_, err := l.redis.Run([]string{"SCRIPT", "LOAD", source})
		l.must(err)
	}
}

func (l *lane) endpointOf(p *point) endpoint {
	l.t.Helper()
	object := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: fmt.Sprintf("%s-%s", p.name, p.moment)},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  "github",
			SecretRef: &v1alpha1.SecretKeyReference{Name: secretName},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: serviceName, Port: intstr.FromInt32(servicePort), Path: "/"}},
		},
	}
	for _, change := range p.spec {
		change(&object.Spec)
	}
	l.create(object)
	return endpoint{client.ObjectKeyFromObject(object), "/" + l.namespace + "/" + object.Name}
}

// launch starts a receiver, the victim of a point or one that lives.
func (l *lane) launch(p *point) *actor {
	l.t.Helper()
	a := &actor{lane: l, point: p, recorded: map[string]bool{}, life: &life{}}
	a.proxy = redistest.StartScriptProxy(l.t, l.redis.Addr, l.scripts, a)
	target := l.startTarget()
	target.React(a.react)
	suffix := "victim"
	if l.survivor == nil {
		suffix = "survivor"
	}
	options := l.receiverOptions(suffix)
	options.RedisURL = "redis://" + a.proxy.Addr
	for service := range options.ConnectTo {
		options.ConnectTo[service] = target.Address
	}
	var err error
	a.Receiver, err = shared.LaunchReceiver(l.ctx, options)
	l.must(err)
	l.endWithTest(a.Receiver)
	l.actors = append(l.actors, a)
	l.must(a.AwaitReady(l.ctx))
	return a
}

// play has a receiver die at a point, under traffic.
func (l *lane) play(p *point) {
	l.t.Helper()
	p.victim = l.launch(p)
	p.armed.Store(p.direct == nil)
	began := time.Now()
	var next atomic.Int64
	for sender := range pointSenders {
		random := rand.New(rand.NewPCG(p.seed, uint64(sender)+1))
		l.senders.Go(func() {
			for n := next.Add(1); n <= pointEvents; n = next.Add(1) {
				l.send(p, random, p.id(int(n)))
			}
		})
	}
	if p.direct != nil {
		p.direct(l, p)
	}
	l.awaitDeath(p)
	l.t.Logf("killed %s run %d of %s, after %s", p.moment, p.nth, p.scene, time.Since(began).Round(time.Millisecond))
}

// awaitDeath waits until the victim was killed at its point. One that ended otherwise
// is never going to be.
func (l *lane) awaitDeath(p *point) {
	l.t.Helper()
	select {
	case <-p.dead:
		return
	case <-p.victim.Exited():
	case <-l.ctx.Done():
	}
	select {
	case <-p.dead: // the process ends before its killer goes on
	case <-time.After(time.Second):
		l.t.Fatalf("%s did not come to run %d, %s which the receiver is to die: %v\n%s", p.scene, p.nth, p.moment, l.ctx.Err(), p.victim.Tail(20))
	}
}

// Before implements redistest.Interceptor.
func (a *actor) Before(run *redistest.ScriptRun) bool {
	p := a.point
	if p == nil || !p.strikes(run) || p.moment == after {
		return true
	}
	select {
	case <-time.After(premature):
	case <-a.lane.ctx.Done():
	}
	a.die()
	return false
}

// After implements redistest.Interceptor.
func (a *actor) After(run *redistest.ScriptRun, reply string) bool {
	a.note(run, reply)
	if p := a.point; p == nil || p.moment != after || !p.struck(run) {
		return true
	}
	a.die()
	return false
}

// die kills the receiver, which is at its point.
func (a *actor) die() {
	p := a.point
	if p.moment == late {
		a.lane.hold(p)
	}
	a.Kill()
	a.killed = true
	close(p.dead)
}

// note takes down what the receiver has had recorded.
func (a *actor) note(run *redistest.ScriptRun, reply string) {
	switch run.Script {
	case "delivered", "deadletter", "finish":
		if reply == "1" {
			a.lane.mu.Lock()
			defer a.lane.mu.Unlock()
			a.recorded[memberIn(run)] = true
		}
	}
}

// react is what a target answers to the receiver. It notes that before it does.
func (a *actor) react(ctx context.Context, r cluster.Received) int {
	l := a.lane
	p := l.pointOf(r.EventID())
	if p == nil {
		l.t.Errorf("%s delivers %q, which nobody sent", a, r.EventID())
		return http.StatusOK
	}
	id, route := r.EventID(), strings.Trim(r.Path, "/")
	now := attempt{by: a, member: memberOf(p.endpoint, id, route)}
	l.mu.Lock()
	d := l.deliveries[now.member]
	if d == nil || string(r.Body) != bodyOf(id) {
		l.mu.Unlock()
		l.t.Errorf("%s delivers %q to %q with the body %s, which nobody sent", a, id, route, r.Body)
		return http.StatusOK
	}
	now.earlier = d.attempts
	d.attempts++
	l.mu.Unlock()

	l.release(a, now.member)
	status := p.says(p, now)
	if status == hangs {
		select {
		case <-p.dead:
		case <-ctx.Done():
		}
		return 0
	}
	if status < 300 && p.draw(now)%10 == 0 && !pauses(ctx, 50*time.Millisecond) {
		return 0 // so that others are in flight meanwhile
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	d.answers = append(d.answers, answerTo{a, status})
	return status
}

// pauses reports whether ctx lasts as long as the pause.
func pauses(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// pointOf finds the point to which an event belongs.
func (l *lane) pointOf(id string) *point {
	for _, p := range l.points {
		if strings.HasPrefix(id, strings.TrimSuffix(p.id(0), "0")) {
			return p
		}
	}
	return nil
}

// hold keeps the command at which a receiver dies.
func (l *lane) hold(p *point) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[refIn(p.hit)] = p
}

// release gives Redis the command that was held, once another receiver makes an
// attempt of what it is about.
func (l *lane) release(by *actor, member string) {
	ref, _, _ := strings.Cut(member, "/")
	l.mu.Lock()
	p := l.held[ref]
	if p == nil || p.victim == by || p.script != "accept" && memberIn(p.hit) != member {
		l.mu.Unlock()
		return
	}
	delete(l.held, ref)
	l.mu.Unlock()
	reply, err := l.redis.Run(p.hit.Words)
	if err != nil {
		l.t.Errorf("the late command of %s: %v", p.scene, err)
	}
	if reply == "1" || reply == "accepted" {
		l.t.Errorf("%s of %s, which was killed, came after %s took over, and Redis did it: it answered %q", p.scene, p.victim, by, reply)
	}
}

// send sends an event until it gets a 2xx.
func (l *lane) send(p *point, random *rand.Rand, id string) {
	body := bodyOf(id)
	header := cluster.GitHub(secretValue, "push", id, []byte(body))
	l.announce(p, id)
	for {
		to := l.survivor
		if !p.over() && random.IntN(2) == 0 {
			to = p.victim
		}
		answer, err := cluster.Post(l.ctx, to.URL+p.endpoint.path, header, []byte(body))
		switch {
		case err == nil && answer.Status == http.StatusOK:
			l.acknowledged.Add(acknowledged{id, to})
			return
		case err == nil && answer.Status < http.StatusInternalServerError:
			l.t.Errorf("%s was answered %d %q", id, answer.Status, answer.Body)
			return
		}
		l.repeat(p, id)
		if !pauses(l.ctx, matrixRetry) {
			l.t.Errorf("%s was never acknowledged: %d %q, %v", id, answer.Status, answer.Body, err)
			return
		}
	}
}

// announce notes what an event is to become, before it is sent.
func (l *lane) announce(p *point, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, route := range p.routes() {
		l.deliveries[memberOf(p.endpoint, id, route)] = &delivery{point: p, id: id, route: route}
	}
}

// repeat notes that an event is sent again.
func (l *lane) repeat(p *point, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, route := range p.routes() {
		l.deliveries[memberOf(p.endpoint, id, route)].resent = true
	}
}

func (p *point) routes() []string {
	switch p.script {
	case "begin", "finish", "forget":
		return []string{""}
	}
	return routeNames
}

// awaitStats waits until what is stored is as it should be.
func (l *lane) awaitStats(what string, match func(store.Stats) bool) store.Stats {
	l.t.Helper()
	for {
		stats, err := l.log.Stats(l.ctx)
		if err == nil && match(stats) {
			return stats
		}
		if !pauses(l.ctx, 50*time.Millisecond) {
			l.t.Fatalf("still not: %s: %+v, %v", what, stats, err)
		}
	}
}

// memberOf names a delivery as Redis does (receiver/store/doc.go).
func memberOf(e endpoint, id, route string) string {
	ref, err := hex.DecodeString(store.EventName(e.String(), id))
	if err != nil {
		panic(err) // that it is hexadecimal is promised
	}
	return base64.RawURLEncoding.EncodeToString(ref) + "/" + route
}

var (
	memberWord = regexp.MustCompile(`^[A-Za-z0-9_-]{32}/`)
	eventWord  = regexp.MustCompile(`:event:([A-Za-z0-9_-]{32})$`)
)

// memberIn is the delivery that a script is about, or the only one of its event.
func memberIn(run *redistest.ScriptRun) string {
	for _, word := range run.Words {
		if memberWord.MatchString(word) {
			return word
		}
	}
	return refIn(run) + "/"
}

// refIn is the part of it that names the event.
func refIn(run *redistest.ScriptRun) string {
	for _, word := range run.Words {
		if memberWord.MatchString(word) {
			return word[:32]
		}
		if match := eventWord.FindStringSubmatch(word); match != nil {
			return match[1]
		}
	}
	return ""
}

// awaitNothingPending waits until every event is delivered or dead.
func (l *lane) awaitNothingPending() {
	l.t.Helper()
	l.awaitStats("nothing is pending", func(s store.Stats) bool { return s.Pending == 0 })
}

// finishAll ends those who live in good order, so that their audit is complete, and
// waits until all is known of those who died.
func (l *lane) finishAll() {
	l.t.Helper()
	for _, a := range l.actors {
		if !a.killed {
			l.expectAlive(a.Receiver)
			l.finish(a.Receiver)
		}
		a.proxy.Drained()
	}
}

// countInRedis runs a script that counts something in each partition.
func (l *lane) countInRedis(count string) int64 {
	l.t.Helper()
	answer := l.redis.Do(`EVAL "local n = 0 for p = 0, 63 do local k = 'sallyport:{' .. p .. '}:' ` + count + ` end return n" 0`)
	n, err := strconv.ParseInt(answer, 10, 64)
	l.must(err)
	return n
}
