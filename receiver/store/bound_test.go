package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// bodied is an event with a body of so many bytes.
func bodied(endpoint, id string, size int) *Event {
	e := sampleEvent(endpoint, id)
	e.Body = make([]byte, size)
	return e
}

// A large event is taken as long as the endpoint has room in all, also where its
// partition holds something of the endpoint already.
func TestALargeEventIsTakenIntoANearlyEmptyQueue(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := testOptions
	o.MaxQueuedBytes = 13 * mebi
	ids := ofPartition("team/hooks", 7, 8)
	accept(t, s, ids[0], o, Accepted)
	for _, id := range ids[1:6] {
		if got, _, err := s.Accept(t.Context(), bodied("team/hooks", id, 2*mebi), o); err != nil || got != Accepted {
			t.Fatalf("an event of 2 MiB beside little else: %s, %v", got, err)
		}
	}
	accept(t, s, ids[6], o, Accepted)
	if _, _, err := s.Accept(t.Context(), bodied("team/hooks", ids[7], 4*mebi), o); !errors.Is(err, ErrQueueFull) {
		t.Fatalf("beyond the bound: %v, want ErrQueueFull", err)
	}
}

// One event has room where there is none other, whatever its size.
func TestAnEventLargerThanTheBoundIsTakenAlone(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := testOptions
	o.MaxQueuedBytes = 1
	lease := accept(t, s, "1", o, Accepted)[0]
	if _, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "2"), o); !errors.Is(err, ErrQueueFull) {
		t.Fatalf("got %v, want ErrQueueFull", err)
	}
	accept(t, s, "1", o, Duplicate)
	must(t, s.Delivered(t.Context(), lease))
	redistest.Await(t, awaitRoom, "there is room again", func() error {
		_, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "2"), o)
		return err
	})
}

// awaitRoom bounds the wait for an old count to be over; only a test that fails waits so long.
const awaitRoom = 100 * countAge

// However events arrive and whatever their sizes are, an endpoint gets all of its bound
// and little more.
func TestTheBoundIsMet(t *testing.T) {
	server := redistest.Start(t)
	s, other := openStore(t, server, newFakeClock()), openStore(t, server, newFakeClock())
	o := testOptions
	o.MaxQueuedBytes = 8 * mebi
	for i, size := range []int{0, 2 << 10, 100 << 10, mebi} {
		endpoint := fmt.Sprint("team/hooks-", i)
		var next, refused atomic.Int64
		var storing sync.WaitGroup
		for worker := range 16 {
			from := s
			if worker%2 == 1 {
				from = other
			}
			storing.Go(func() {
				for refused.Load() < 64 {
					_, _, err := from.Accept(t.Context(), bodied(endpoint, fmt.Sprint(next.Add(1)), size), o)
					switch {
					case errors.Is(err, ErrQueueFull):
						refused.Add(1)
					case err != nil:
						t.Error(err)
						return
					}
				}
			})
		}
		storing.Wait()
		usage, err := s.Usage(t.Context(), []string{endpoint})
		must(t, err)
		// Two receivers, each of which may not see for a moment what the other stores.
		if got := usage[0].Room(); got < o.MaxQueuedBytes*7/10 || got > o.MaxQueuedBytes*5/2 {
			t.Errorf("with bodies of %d bytes, %d bytes are stored, want about %d", size, got, o.MaxQueuedBytes)
		}
	}
}

// One receiver alone exceeds the bound by an eighth at most.
func TestOneReceiverKeepsToTheBound(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := testOptions
	o.MaxQueuedBytes = 4 * mebi
	var next, refused atomic.Int64
	var storing sync.WaitGroup
	for range 16 {
		storing.Go(func() {
			for refused.Load() < 200 {
				n := next.Add(1)
				size := 1 << 10
				if n%50 == 0 {
					size = 200 << 10
				}
				_, _, err := s.Accept(t.Context(), bodied("team/hooks", fmt.Sprint(n), size), o)
				switch {
				case errors.Is(err, ErrQueueFull):
					refused.Add(1)
				case err != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	storing.Wait()
	usage, err := s.Usage(t.Context(), []string{"team/hooks"})
	must(t, err)
	if got := usage[0].Room(); got < o.MaxQueuedBytes*8/10 || got > o.MaxQueuedBytes*9/8 {
		t.Errorf("%d bytes are stored, want about %d", got, o.MaxQueuedBytes)
	}
}

// An endpoint that stores all it can leaves the memory to another one.
func TestOneEndpointCannotFillRedis(t *testing.T) {
	s := openStore(t, redistest.Start(t, "--maxmemory", "32mb"), newFakeClock())
	if _, err := s.Measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := testOptions
	o.MaxQueuedBytes = DefaultMaxQueuedBytes
	taken := 0
	for ; ; taken++ {
		_, _, err := s.Accept(t.Context(), bodied("team/greedy", fmt.Sprint(taken), 256<<10), o)
		if errors.Is(err, ErrQueueFull) {
			break
		}
		must(t, err)
	}
	if taken < 24 || taken > 40 {
		t.Errorf("%d events of 256 KiB were taken, want about 8 MiB", taken)
	}
	for i := range 100 {
		lease := accept(t, s, fmt.Sprint(i), o, Accepted)[0]
		must(t, s.Delivered(t.Context(), lease))
	}
}

// What is delivered makes room within a moment, however fast events come and go.
func TestEventsThatAreDeliveredAtOnceAreNotRefused(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := testOptions
	o.MaxQueuedBytes = mebi
	for i := range 50 {
		e := bodied("team/hooks", fmt.Sprint(i), 256<<10)
		got, leases, err := s.Accept(t.Context(), e, o)
		if errors.Is(err, ErrQueueFull) {
			time.Sleep(refusalAge) // by then, no count of before is believed
			got, leases, err = s.Accept(t.Context(), e, o)
		}
		if err != nil || got != Accepted {
			t.Fatalf("event %d: %s, %v", i, got, err)
		}
		must(t, s.Delivered(t.Context(), leases[0]))
	}
}
