package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// modelDelivery is what a delivery should be in, by plain bookkeeping.
type modelDelivery struct {
	dead bool
	due  time.Time // when it may be claimed
}

// model runs random steps of several owners against a store and against plain
// bookkeeping. A lease is kept after it was used or lost, so that late owners
// are among the steps.
type model struct {
	t      *testing.T
	s      *Store
	clock  *fakeClock
	random *rand.Rand
	events map[string]*modelDelivery // nil: delivered
	leases []modelLease
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
	}
	m.drain()
}

func (m *model) step() {
	m.clock.Advance(time.Duration(m.random.IntN(3000)+1) * time.Millisecond)
	switch m.random.IntN(4) {
	case 0:
		m.accept(fmt.Sprint(m.random.IntN(40)))
	case 1:
		m.claim(m.random.IntN(4))
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
	leases := accept(m.t, m.s, id, AcceptOptions{Window: 1000 * time.Hour, Lease: testLease}, want)
	switch want {
	case Accepted:
		m.events[id] = &modelDelivery{due: leases[0].Until}
		m.leases = append(m.leases, modelLease{id, leases[0]})
	case Revived:
		*d = modelDelivery{due: m.clock.Now()}
	}
}

func (m *model) claim(most int) {
	dueNow := 0
	for _, d := range m.events {
		if d != nil && !d.dead && !d.due.After(m.clock.Now()) {
			dueNow++
		}
	}
	c, err := m.s.Claim(m.t.Context(), ClaimOptions{Max: most, MaxBytes: 1 << 30, Lease: testLease})
	if err != nil || len(c.Deliveries) != min(most, dueNow) {
		m.t.Fatalf("claimed %d of %d that are due, at most %d: %v", len(c.Deliveries), dueNow, most, err)
	}
	for _, taken := range c.Deliveries {
		d := m.events[taken.Event.ID]
		if d == nil || d.dead || d.due.After(m.clock.Now()) {
			m.t.Fatalf("claimed %s, which is %+v at %s", taken.Event.ID, d, m.clock.Now())
		}
		d.due = taken.Lease.Until
		m.leases = append(m.leases, modelLease{taken.Event.ID, taken.Lease})
	}
}

// transition does something with a lease. It holds if nobody moved the delivery
// since, whether or not its time is over.
func (m *model) transition(l modelLease) {
	d := m.events[l.id]
	valid := d != nil && !d.dead && d.due.Equal(l.lease.Until)
	f := Failure{Attempts: 1}
	later := m.clock.Now().Add(time.Duration(m.random.IntN(60_000_000)) * time.Microsecond)
	var err error
	var change func()
	switch m.random.IntN(5) {
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
		err = m.s.Dead(m.t.Context(), l.lease, f)
		change = func() { d.dead = true }
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
	}
	if valid != (err == nil) || err != nil && !errors.Is(err, ErrFenced) {
		m.t.Fatalf("a lease of %s whose validity is %t: %v", l.id, valid, err)
	}
	if valid {
		change()
	}
}

// drain delivers everything: nothing that was accepted may be missing.
func (m *model) drain() {
	for id, d := range m.events {
		if d != nil && d.dead {
			m.accept(id)
		}
	}
	m.clock.Advance(time.Hour)
	pending := 0
	for _, d := range m.events {
		if d != nil {
			pending++
		}
	}
	for _, d := range claim(m.t, m.s, pending) {
		must(m.t, m.s.Delivered(m.t.Context(), d.Lease))
	}
	wantStats(m.t, m.s, 0, 0, 0)
	for p := range partitions {
		if n := m.s.client.Exists(m.t.Context(), attemptsKey(p), delayedKey(p)).Val(); n != 0 {
			m.t.Errorf("partition %d keeps failures of deliveries that are done", p)
		}
	}
}
