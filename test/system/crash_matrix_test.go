package system

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/redistest"
)

// The crash matrix. What a killed receiver had begun is free when its leases
// end, so a run takes half a minute more than its crashes.
const (
	matrixReceivers = 3
	matrixSenders   = 8
	// matrixCrashes is how many crashes there are of each kind.
	matrixCrashes = 2
	// matrixBetween is how many events are acknowledged at least between two crashes.
	matrixBetween = 400
	// matrixInFlight bounds the attempts that one crash can make come again.
	matrixInFlight = 16
	// A crash comes after a pause of up to matrixPause, and lasts up to matrixOutage.
	matrixPause, matrixOutage = 600 * time.Millisecond, 300 * time.Millisecond
	// matrixRetry is the pause of a sender before it sends an event again.
	matrixRetry = 20 * time.Millisecond
	// matrixSeed is the variable with the seed of a run that is to be repeated.
	matrixSeed = "SALLYPORT_CRASH_SEED"
)

// Receivers and Redis are killed with SIGKILL under load, alone and together, at
// random moments. Afterwards every event that was acknowledged has been
// delivered or is a dead letter, and only what was in flight at a crash has been
// delivered more than once.
func TestNothingIsLostInCrashesAtRandomMoments(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	var sending sync.WaitGroup
	t.Cleanup(sending.Wait) // a test that fails must not end before its senders
	for sender := range matrixSenders {
		sending.Go(func() { m.send(sender) })
	}
	m.crash()
	close(m.over)
	sending.Wait()
	m.awaitNothingPending()
	m.finishAll()
	m.verify()
}

// matrix is a world with several receivers, each of which has a target of its
// own: so it is known who made an attempt.
type matrix struct {
	*world
	endpoint   endpoint
	seed       uint64
	random     *rand.Rand // of the goroutine of the test
	lives      []*life    // all that ever were
	redisKills int
	over       chan struct{} // closed after the last crash
	answers    *cluster.Journal[answered]
	// acknowledged has the id of each event that got a 2xx.
	acknowledged *cluster.Journal[string]
	running      [matrixReceivers]*life
	publishing   sync.WaitGroup

	mu       sync.Mutex
	urls     [matrixReceivers]string // where senders send
	sent     map[string]bool         // by id: those that were sent
	statuses map[int]int             // how often senders got which answer; 0: none
}

// life is one process of a receiver.
type life struct {
	*cluster.Receiver
	killed bool
}

// String tells lives in one slot apart.
func (l *life) String() string { return fmt.Sprintf("%s (%d)", l.Name, l.PID) }

// answered is what a target said to an attempt.
type answered struct {
	by      *life // who asked
	id      string
	attempt string
	body    string
	status  int
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{
		world: newWorld(t), seed: seedOf(t), over: make(chan struct{}), answers: cluster.NewJournal[answered](),
		acknowledged: cluster.NewJournal[string](),
		sent:         map[string]bool{}, statuses: map[int]int{},
	}
	m.allow(laneTimeout)
	m.random = rand.New(rand.NewPCG(m.seed, 0))
	m.redis.Kill()
	m.redis = redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	m.adoptRedis()
	for slot := range matrixReceivers {
		m.launch(slot)
	}
	m.awaitRunning()
	m.endpoint = m.newEndpoint("github", withQuickRetries(10*time.Second), func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Delivery.MaxInFlight = new(int32(matrixInFlight))
	})
	return m
}

// seedOf returns the seed of the environment or a new one, and prints it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text, ok := os.LookupEnv(matrixSeed); ok {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", matrixSeed, err)
		}
	}
	t.Logf("%s=%d", matrixSeed, seed)
	return seed
}

// launch starts a receiver in a slot and does not wait until it is ready, so that
// crashes meet receivers that are still starting, too.
func (m *matrix) launch(slot int) {
	m.t.Helper()
	target := m.startTarget()
	options := m.receiverOptions(strconv.Itoa(slot))
	for service := range options.ConnectTo {
		options.ConnectTo[service] = target.Address
	}
	l := &life{}
	target.React(m.reaction(l))
	var err error
	l.Receiver, err = shared.LaunchReceiver(m.ctx, options)
	m.must(err)
	m.endWithTest(l.Receiver)
	m.lives = append(m.lives, l)
	m.running[slot] = l
	m.publishing.Go(func() { m.publish(slot, l) })
}

// publish has the senders send to a receiver once it is ready, as a Service does.
func (m *matrix) publish(slot int, l *life) {
	if err := l.AwaitReady(m.ctx); err != nil {
		return // it was killed before; of others awaitRunning tells
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-l.Exited(): // killed right away; its successor may be ready already
	default:
		m.urls[slot] = l.URL
	}
}

func (m *matrix) awaitRunning() {
	m.t.Helper()
	for _, l := range m.running {
		m.must(l.AwaitReady(m.ctx))
	}
	m.publishing.Wait()
}

// reaction notes what the target says to a receiver before it says it.
func (m *matrix) reaction(l *life) cluster.Reaction {
	return func(ctx context.Context, r cluster.Received) int {
		a := answered{by: l, id: r.EventID(), attempt: r.Header.Get("Sallyport-Attempt"), body: string(r.Body)}
		var slowness time.Duration
		a.status, slowness = m.fate(a)
		select {
		case <-time.After(slowness):
		case <-ctx.Done(): // the receiver is gone
			return 0
		}
		m.answers.Add(a)
		return a.status
	}
}

// fate is how the target answers an attempt: mostly with 200 and at once. The
// same attempt has the same fate, whenever it is made.
func (m *matrix) fate(a answered) (status int, slowness time.Duration) {
	if m.draw(a.id) < 2 {
		return http.StatusGone, 0
	}
	switch n := m.draw(a.id + "/" + a.attempt); {
	case n < 8:
		return http.StatusInternalServerError, 0
	case n < 14:
		return http.StatusOK, 100 * time.Millisecond
	case n < 16:
		return http.StatusOK, 500 * time.Millisecond
	}
	return http.StatusOK, 0
}

// draw returns 0 to 99, by the seed and the text.
func (m *matrix) draw(text string) uint64 {
	hash := fnv.New64a()
	_, _ = fmt.Fprint(hash, m.seed, text)
	return rand.New(rand.NewPCG(m.seed, hash.Sum64())).Uint64N(100)
}

// crashKind says what a crash hits.
type crashKind int

const (
	ofReceiver crashKind = iota
	ofRedis
	ofBoth
)

// victim is a part of that.
type victim struct{ kill, restart func() }

// crash kills and restarts receivers, Redis, which stops everything for a second,
// and both together, in an order that chance picks.
func (m *matrix) crash() {
	m.t.Helper()
	var schedule []crashKind
	for range matrixCrashes {
		schedule = append(schedule, ofReceiver, ofRedis, ofBoth)
	}
	m.random.Shuffle(len(schedule), func(i, j int) { schedule[i], schedule[j] = schedule[j], schedule[i] })
	for _, kind := range schedule {
		m.awaitTraffic()
		m.pass(matrixPause)
		victims := m.victims(kind)
		for _, v := range victims {
			v.kill()
		}
		m.pass(matrixOutage)
		m.shuffle(victims)
		for _, v := range victims {
			v.restart()
		}
	}
	m.awaitRunning()
}

// victims are what a crash hits, in any order.
func (m *matrix) victims(kind crashKind) []victim {
	var victims []victim
	if kind != ofReceiver {
		victims = append(victims, victim{m.killRedis, m.restartRedis})
	}
	if kind != ofRedis {
		slot := m.random.IntN(matrixReceivers)
		victims = append(victims, victim{func() { m.killReceiver(slot) }, func() { m.launch(slot) }})
	}
	m.shuffle(victims)
	return victims
}

func (m *matrix) shuffle(victims []victim) {
	m.random.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
}

// awaitTraffic waits until events are taken again after the last crash.
func (m *matrix) awaitTraffic() {
	m.t.Helper()
	n := len(m.acknowledged.All()) + matrixBetween
	_, err := m.acknowledged.AwaitN(m.ctx, n, func(string) bool { return true })
	m.must(err)
}

// pass lets some time of the schedule pass, up to most.
func (m *matrix) pass(most time.Duration) {
	m.t.Helper()
	select {
	case <-time.After(time.Duration(m.random.Int64N(int64(most)))):
	case <-m.ctx.Done():
		m.t.Fatal("the crashes take too long: ", m.ctx.Err())
	}
}

func (m *matrix) killRedis() {
	m.redis.Kill()
	m.redisKills++
}

func (m *matrix) killReceiver(slot int) {
	l := m.running[slot]
	m.expectAlive(l.Receiver)
	l.Kill()
	l.killed = true
}

// send sends events until the crashes are over.
func (m *matrix) send(sender int) {
	random := rand.New(rand.NewPCG(m.seed, uint64(sender)+1))
	for n := 0; ; n++ {
		select {
		case <-m.over:
			return
		case <-m.ctx.Done():
			return
		default:
			m.sendEvent(random, fmt.Sprintf("event-%d-%d", sender, n))
		}
	}
}

// sendEvent sends an event to any receiver, until it gets a 2xx. One in ten times
// the sender gives up at once: then nothing is promised.
func (m *matrix) sendEvent(random *rand.Rand, id string) {
	body := bodyOf(id)
	header := cluster.GitHub(secretValue, "push", id, []byte(body))
	m.note(id, nil)
	for patient := random.IntN(10) > 0; ; {
		answer, err := cluster.Post(m.ctx, m.url(random.IntN(matrixReceivers)), header, []byte(body))
		m.note(id, &answer)
		if answer.Status == http.StatusOK || !patient {
			return
		}
		if err == nil && answer.Status != http.StatusServiceUnavailable {
			m.t.Errorf("%s was answered %d %q, want 200 or 503", id, answer.Status, answer.Body)
			return
		}
		select {
		case <-time.After(matrixRetry):
		case <-m.ctx.Done():
			m.t.Errorf("%s was never acknowledged: %v", id, errors.Join(err, m.ctx.Err()))
			return
		}
	}
}

// bodyOf is the body of an event; no two have the same.
func bodyOf(id string) string { return fmt.Sprintf(`{"event":%q}`, id) }

func (m *matrix) url(slot int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.urls[slot] + m.endpoint.path
}

// note keeps what a sender was answered; nil: it is about to send.
func (m *matrix) note(id string, answer *cluster.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if answer == nil {
		m.sent[id] = true
		return
	}
	m.statuses[answer.Status]++
	if answer.Status == http.StatusOK {
		m.acknowledged.Add(id)
	}
}

// awaitNothingPending waits until every event is delivered or dead.
func (m *matrix) awaitNothingPending() {
	m.t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		pending := m.stored("due") + m.stored("held")
		if pending == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-m.ctx.Done():
			m.t.Fatalf("%d deliveries are still pending: %v", pending, m.ctx.Err())
		}
	}
}

// stored counts the deliveries in one state, over all partitions.
func (m *matrix) stored(state string) int {
	m.t.Helper()
	answer := m.redis.Do(`EVAL "local n = 0 for p = 0, 63 do n = n + redis.call('ZCARD', 'sallyport:{' .. p .. '}:` + state + `') end return n" 0`)
	n, err := strconv.Atoi(answer)
	m.must(err)
	return n
}

// finishAll ends the receivers in good order, so that their audit is complete.
func (m *matrix) finishAll() {
	m.t.Helper()
	for _, l := range m.running {
		m.expectAlive(l.Receiver)
		m.finish(l.Receiver)
	}
}
