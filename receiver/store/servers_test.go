package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

// at says which server has the events of an id.
func at(t *testing.T, s *Store, id string) string {
	t.Helper()
	server, err := s.client.(*redis.ClusterClient).MasterForKey(t.Context(), eventName(eventRef("team/hooks", id)))
	must(t, err)
	return server.Options().Addr
}

// A master of a Cluster that hangs holds up its own partitions and no others: senders
// get their 2xx, what is due is claimed, and what is known is counted.
func TestAMasterThatHangsHoldsUpOnlyItsOwn(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3, append(clusterArgs(t), "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000")...)
	s := openWith(t, Options{URL: clusterURL(nodes), Clock: newFakeClock().Now})
	const n = 60
	healthy := 0
	for i := range n {
		id := fmt.Sprint("due-", i)
		must(t, s.Release(t.Context(), owned(t, s, id)))
		if at(t, s, id) != nodes[1].Addr {
			healthy++
		}
	}
	wantStats(t, s, n, 0, 0)
	resume := stop(t, nodes[1])
	senders := sendInVain(t, s, nodes[1].Addr)

	accepted := 0
	for i := 0; accepted < 40; i++ {
		id := fmt.Sprint("beside-", i)
		if at(t, s, id) == nodes[1].Addr {
			continue
		}
		accept(t, s, id, testOptions, Accepted)
		accepted++
	}
	c, err := s.Claim(t.Context(), ClaimOptions{Max: n, MaxBytes: 1 << 30, Lease: testLease})
	if !errors.Is(err, ErrPartly) || len(c.Deliveries) != healthy {
		t.Errorf("claimed %d, %v, want the %d of the others", len(c.Deliveries), err, healthy)
	}
	if stats, err := s.Stats(t.Context()); !errors.Is(err, ErrPartly) || stats.Pending != int64(n+accepted) {
		t.Errorf("counted %d pending, %v, want %d", stats.Pending, err, n+accepted)
	}
	held := c.Deliveries[0]
	must(t, s.Hold(t.Context(), held.Lease, held.Event.Endpoint, held.Event.ReceivedAt))
	if backlogs, err := s.Backlogs(t.Context()); !errors.Is(err, ErrPartly) || len(backlogs) != 1 {
		t.Errorf("backlogs are %v, %v, want one", backlogs, err)
	}
	senders()
	resume()
	redistest.Await(t, 20*time.Second, "the rest is claimed", func() error {
		c, err := s.Claim(t.Context(), ClaimOptions{Max: n, MaxBytes: 1 << 30, Lease: testLease})
		if healthy += len(c.Deliveries); healthy < n {
			return fmt.Errorf("%d of %d are, %w", healthy, n, err)
		}
		return nil
	})
}

// sendInVain posts events of one server until the function is called that it returns.
func sendInVain(t *testing.T, s *Store, server string) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if id := fmt.Sprint("vain-", sender, "-", i); at(t, s, id) == server {
					_, _, _ = s.Accept(ctx, sampleEvent("team/hooks", id), testOptions)
				}
			}
		})
	}
	return func() {
		cancel()
		senders.Wait()
	}
}

// Records of the endpoints whose server answers are kept.
func TestAMasterThatHangsCostsOnlyItsOwnRecords(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3, append(clusterArgs(t), "--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000")...)
	s := openWith(t, Options{URL: clusterURL(nodes)})
	cluster := s.client.(*redis.ClusterClient)
	var entries []JournalEntry
	var answering string
	for i := range 40 {
		endpoint := fmt.Sprint("team/", i)
		entries = append(entries, JournalEntry{Endpoint: endpoint, Record: []byte("{}")})
		server, err := cluster.MasterForKey(t.Context(), journalName(endpoint))
		must(t, err)
		if server.Options().Addr != nodes[1].Addr {
			answering = endpoint
		}
	}
	resume := stop(t, nodes[1])
	defer resume()
	if err := s.AppendJournal(t.Context(), entries, nil); !errors.Is(err, ErrPartly) {
		t.Errorf("got %v, want ErrPartly", err)
	}
	if records, err := s.Journal(t.Context(), answering, 10); err != nil || len(records) != 1 {
		t.Errorf("%d records are kept of %s, %v, want 1", len(records), answering, err)
	}
}
