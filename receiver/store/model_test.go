package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// modelDelivery is what a delivery should be in, by plain bookkeeping.
type modelDelivery struct {
	dead    bool
	held    bool
	since   time.Time // when its age began
	due     time.Time // when it may be claimed
	givenUp time.Time // when it died
	bytes   int64     // of its event
}

// waits says whether a claim would take it.
func (d *modelDelivery) waits(now time.Time) bool {
	return d != nil && !d.dead && !d.held && !d.due.After(now)
}

// modelTargets are the targets of the model, as names of endpoints; an event goes
// to the one that its number says.
const modelTargets = 3

func modelEndpoint(id string) string {
	n, _ := strconv.Atoi(id)
	return fmt.Sprint("team/hooks-", n%modelTargets)
}

// model runs random steps of several owners against a store and against plain
// bookkeeping. A lease is kept after it was used or lost, so that late owners
// are among the steps.
type model struct {
	t       *testing.T
	s       *Store
	clock   *fakeClock
	random  *rand.Rand
	events  map[string]*modelDelivery // nil: delivered
	leases  []modelLease
	letters []DeadLetter // as they were found, those that are gone included
}

type modelLease struct {
	id    string
	lease Lease
}

func TestRandomSteps(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	clock := newFakeClock()
	m := &model{t: t, s: openStore(t, redistest.Start(t), clock), clock: clock,
		random: rand.New(rand.NewPCG(seed, 0)), events: map[string]*modelDelivery{}}
	for range 2000 {
		m.step()
		m.check()
	}
	if got, err := m.s.Recount(t.Context()); err != nil || got.Mended != 0 || got.Crowded != 0 {
		t.Errorf("Recount = %+v, %v, want that all is counted right", got, err)
	}
	m.deliverAll()
}

func (m *model) step() {
	m.clock.Advance(time.Duration(m.random.IntN(3000)+1) * time.Millisecond)
	switch m.random.IntN(9) {
	case 0:
		m.accept(fmt.Sprint(m.random.IntN(40)))
	case 1:
		m.claim(m.random.IntN(4))
	case 2:
		m.refill(m.random.IntN(4))
	case 3:
		m.list()
	case 4:
		if len(m.letters) > 0 {
			m.reviveOrPurge(m.letters[m.random.IntN(len(m.letters))])
		}
	default:
		if len(m.leases) > 0 {
			m.transition(m.leases[m.random.IntN(len(m.leases))])
		}
	}
}

func (m *model) accept(id string) {
	d, known := m.events[id]
	want := Duplicate
	switch {
	case !known:
		want = Accepted
	case d != nil && d.dead:
		want = Revived
	}
	e := sampleEvent(modelEndpoint(id), id)
	e.ReceivedAt = m.clock.Now()
	got, leases, err := m.s.Accept(m.t.Context(), e, AcceptOptions{Window: 1000 * time.Hour, Lease: testLease})
	if err != nil || got != want {
		m.t.Fatalf("Accept(%s) = %s, %v, want %s", id, got, err, want)
	}
	switch want {
	case Accepted:
		size := m.s.client.StrLen(m.t.Context(), eventName(leases[0].ref)).Val()
		m.events[id] = &modelDelivery{since: e.ReceivedAt, due: leases[0].Until, bytes: size}
		m.leases = append(m.leases, modelLease{id, leases[0]})
	case Revived:
		*d = modelDelivery{since: m.clock.Now(), due: m.clock.Now(), bytes: d.bytes}
	}
}

// claim claims, as one to whom a target or none is blocked.
func (m *model) claim(most int) {
	now := m.clock.Now()
	o := ClaimOptions{Max: most, MaxBytes: 1 << 30, Lease: testLease}
	blocked := m.random.IntN(2 * modelTargets)
	if blocked < modelTargets {
		o.Blocked = []Target{{Endpoint: fmt.Sprint("team/hooks-", blocked)}}
	}
	isBlocked := func(id string) bool { return len(o.Blocked) > 0 && modelEndpoint(id) == o.Blocked[0].Endpoint }
	free := 0
	for id, d := range m.events {
		if d.waits(now) && !isBlocked(id) {
			free++
		}
	}
	c, err := m.s.Claim(m.t.Context(), o)
	if err != nil || len(c.Deliveries) != min(most, free) {
		m.t.Fatalf("claimed %d of %d that are due, at most %d: %v", len(c.Deliveries), free, most, err)
	}
	for _, taken := range c.Deliveries {
		d := m.events[taken.Event.ID]
		if !d.waits(now) || isBlocked(taken.Event.ID) {
			m.t.Fatalf("claimed %s, which is %+v at %s", taken.Event.ID, d, now)
		}
		m.took(taken)
	}
	m.noteHeld(c.Held, func(id string, d *modelDelivery) bool { return d.waits(now) && isBlocked(id) })
}

func (m *model) took(taken Delivery) {
	d := m.events[taken.Event.ID]
	d.due, d.held = taken.Lease.Until, false
	m.leases = append(m.leases, modelLease{taken.Event.ID, taken.Lease})
}

// noteHeld asks Redis which deliveries a claim has held: so many, and only
// those that it may.
func (m *model) noteHeld(want int, may func(string, *modelDelivery) bool) {
	for id, d := range m.events {
		if d == nil || d.dead || d.held {
			continue
		}
		r := eventRef(modelEndpoint(id), id)
		score, err := m.s.client.ZScore(m.t.Context(), heldName[r.partition()], member(r, "")).Result()
		if err != nil {
			continue
		}
		if !may(id, d) || int64(score) != d.since.UnixMilli() {
			m.t.Fatalf("%s, which is %+v, was held since %.0f", id, d, score)
		}
		d.held = true
		want--
	}
	if want != 0 {
		m.t.Fatalf("a claim said of %d more that it held them", want)
	}
}

// refill takes from each backlog of one target, oldest first, some only what is
// old enough.
func (m *model) refill(most int) {
	o := RefillOptions{Max: most, MaxBytes: 1 << 30, Lease: testLease}
	if m.random.IntN(3) == 0 {
		o.Before = m.clock.Now().Add(-time.Minute)
	}
	backlogs, err := m.s.Backlogs(m.t.Context())
	must(m.t, err)
	if len(backlogs) == 0 {
		return
	}
	b := backlogs[m.random.IntN(len(backlogs))]
	var waiting []*modelDelivery
	for id, d := range m.events {
		if d != nil && d.held && modelEndpoint(id) == b.Target.Endpoint && eventRef(b.Target.Endpoint, id).partition() == b.partition &&
			(o.Before.IsZero() || d.since.UnixMilli() <= o.Before.UnixMilli()) {
			waiting = append(waiting, d)
		}
	}
	slices.SortFunc(waiting, func(a, b *modelDelivery) int { return a.since.Compare(b.since) })
	c, err := m.s.Refill(m.t.Context(), b, o)
	if err != nil || len(c.Deliveries) != min(most, len(waiting)) {
		m.t.Fatalf("refilled %d of %d, at most %d: %v", len(c.Deliveries), len(waiting), most, err)
	}
	for i, taken := range c.Deliveries {
		if d := m.events[taken.Event.ID]; d.since.UnixMilli() != waiting[i].since.UnixMilli() {
			m.t.Fatalf("refilled %s, which is not the oldest", taken.Event.ID)
		}
		m.took(taken)
	}
}

// transition does something with a lease. It holds if nobody moved the delivery
// since, whether or not its time is over.
func (m *model) transition(l modelLease) {
	d := m.events[l.id]
	valid := d != nil && !d.dead && !d.held && d.due.Equal(l.lease.Until)
	f := Failure{Attempts: 1, Since: m.since(d)}
	later := m.clock.Now().Add(time.Duration(m.random.IntN(60_000_000)) * time.Microsecond)
	var err error
	var change func()
	switch m.random.IntN(6) {
	case 0:
		if d == nil {
			return // a repeated Delivered succeeds: see TestALostReplyIsRepeated
		}
		err = m.s.Delivered(m.t.Context(), l.lease)
		change = func() { m.events[l.id] = nil }
	case 1:
		err = m.s.Retry(m.t.Context(), l.lease, later, f)
		change = func() { d.due = later }
	case 2:
		err = m.s.DeadLetter(m.t.Context(), l.lease, f)
		change = func() { d.dead, d.givenUp = true, m.clock.Now() }
	case 3:
		err = m.s.Release(m.t.Context(), l.lease)
		change = func() { d.due = m.clock.Now() }
	case 4:
		var renewed Lease
		renewed, err = m.s.Renew(m.t.Context(), l.lease, testLease)
		change = func() {
			d.due = renewed.Until
			m.leases = append(m.leases, modelLease{l.id, renewed})
		}
	case 5:
		if d != nil && d.held {
			return // to hold it once more succeeds: see TestALostReplyIsRepeated
		}
		err = m.s.Hold(m.t.Context(), l.lease, modelEndpoint(l.id), m.since(d))
		change = func() { d.held = true }
	}
	if valid != (err == nil) || err != nil && !errors.Is(err, ErrFenced) {
		m.t.Fatalf("a lease of %s whose validity is %t: %v", l.id, valid, err)
	}
	if valid {
		change()
	}
}

// since is when the age of a delivery began; now, if it is over.
func (m *model) since(d *modelDelivery) time.Time {
	if d == nil {
		return m.clock.Now()
	}
	return d.since
}

// list finds the dead letters of one target, all of them and no others.
func (m *model) list() {
	endpoint := fmt.Sprint("team/hooks-", m.random.IntN(modelTargets))
	q := DeadQuery{Endpoint: endpoint, Limit: 1 + m.random.IntN(5)}
	want := map[string]bool{}
	for id, d := range m.events {
		if d != nil && d.dead && modelEndpoint(id) == endpoint {
			want[id] = true
		}
	}
	for {
		page, err := m.s.DeadLetters(m.t.Context(), q)
		must(m.t, err)
		for _, l := range page.Letters {
			if d := m.events[l.Event.ID]; !want[l.Event.ID] || !l.DeadLetteredTime.Equal(d.givenUp.Truncate(time.Millisecond)) {
				m.t.Fatalf("found the dead letter %s, which is %+v", l.Event.ID, d)
			}
			delete(want, l.Event.ID)
			m.letters = append(m.letters, l)
		}
		if q.Continue = page.Continue; q.Continue == "" {
			break
		}
	}
	if len(want) > 0 {
		m.t.Fatalf("%v are dead and were not found", want)
	}
}

// reviveOrPurge does one of them with a dead letter that was found some time ago.
func (m *model) reviveOrPurge(l DeadLetter) {
	id := l.Event.ID
	d := m.events[id]
	valid := d != nil && d.dead && d.givenUp.UnixMilli() == l.DeadLetteredTime.UnixMilli()
	var err error
	var change func()
	if m.random.IntN(2) == 0 {
		err = m.s.Revive(m.t.Context(), l)
		change = func() { *d = modelDelivery{held: true, since: m.clock.Now(), bytes: d.bytes} }
	} else {
		err = m.s.Purge(m.t.Context(), l)
		change = func() { delete(m.events, id) }
	}
	if valid != (err == nil) || err != nil && !errors.Is(err, ErrFenced) {
		m.t.Fatalf("a dead letter %s whose validity is %t: %v", id, valid, err)
	}
	if valid {
		change()
	}
}

// check compares what is counted of each endpoint.
func (m *model) check() {
	var want [modelTargets]Usage
	var endpoints []string
	for i := range want {
		endpoints = append(endpoints, modelEndpoint(fmt.Sprint(i)))
		want[i].Endpoint = endpoints[i]
	}
	for id, d := range m.events {
		if d == nil {
			continue
		}
		n, _ := strconv.Atoi(id)
		u := &want[n%modelTargets]
		u.Bytes += d.bytes
		switch {
		case d.dead:
			u.Dead++
		case d.held:
			u.Held++
			u.Pending++
		default:
			u.Pending++
		}
	}
	got, err := m.s.Usage(m.t.Context(), endpoints)
	if err != nil || !slices.Equal(got, want[:]) {
		m.t.Fatalf("stored are %+v, %v, want %+v", got, err, want)
	}
}

// deliverAll delivers everything: nothing that was accepted may be missing.
func (m *model) deliverAll() {
	for id, d := range m.events {
		if d != nil && d.dead {
			m.accept(id)
		}
	}
	m.clock.Advance(time.Hour)
	pending, held := 0, 0
	for _, d := range m.events {
		if d != nil {
			pending++
		}
		if d != nil && d.held {
			held++
		}
	}
	for _, d := range append(claim(m.t, m.s, pending-held), refill(m.t, m.s, held)...) {
		must(m.t, m.s.Delivered(m.t.Context(), d.Lease))
	}
	wantStats(m.t, m.s, 0, 0, 0)
	for p := range partitions {
		if n := m.s.client.Exists(m.t.Context(), attemptsName[p], delayedName[p], heldName[p], backlogsName[p], deadName[p], usageName[p]).Val(); n != 0 {
			m.t.Errorf("partition %d keeps something of deliveries that are done", p)
		}
	}
}
