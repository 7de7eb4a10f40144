package store

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

func clusterURL(nodes []*redistest.Server) string {
	return fmt.Sprintf("redis://sallyport:%s@%s?cluster=true&addr=%s", aclPassword, nodes[0].Addr, nodes[1].Addr)
}

func clusterArgs(t *testing.T) []string {
	t.Helper()
	return append([]string{"--appendonly", "yes", "--appendfsync", "always"},
		aclArgs(documentedUser(t, "redis", "+command +asking +cluster|slots", "+setrange +wait"))...)
}

// Every operation works with keys on all nodes, and a node that was killed comes
// back with all it had. Nothing is asked of a node that its user may not do.
func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3, clusterArgs(t)...)
	clock := newFakeClock()
	s := openWith(t, Options{URL: clusterURL(nodes), Clock: clock.Now})
	life(t, s, clock)
	const n = 60
	for i := range n {
		owned(t, s, fmt.Sprint("kept-", i))
	}
	wantStats(t, s, n, 0, 19)
	if warnings, err := s.CheckPolicy(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("CheckPolicy: %q, %v", warnings, err)
	}
	for _, node := range nodes {
		if node.Do("DBSIZE") == "0" {
			t.Errorf("%s has no keys", node.Addr)
		}
		wantNothingRefused(t, node)
	}

	nodes[1].Kill()
	nodes[1].Restart() // with nothing but its append-only file
	for _, node := range nodes {
		redistest.AwaitClusterNode(t, node, len(nodes))
	}
	wantStats(t, s, n, 0, 19)
	for i := range n {
		accept(t, s, fmt.Sprint("kept-", i), testOptions, Duplicate)
	}
	clock.Advance(testLease + time.Second)
	for _, d := range claim(t, s, n) {
		must(t, s.Delivered(t.Context(), d.Lease))
	}
	wantStats(t, s, 0, 0, 19)
	wantPolicyOfEveryNode(t, s, nodes)
}

// wantPolicyOfEveryNode makes two nodes risky, each in its own way.
func wantPolicyOfEveryNode(t *testing.T, s *Store, nodes []*redistest.Server) {
	t.Helper()
	nodes[2].Do("CONFIG SET maxmemory-policy allkeys-lru")
	nodes[1].Do("CONFIG SET appendfsync no")
	got, err := s.CheckPolicy(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("CheckPolicy: %q, %v, want two warnings", got, err)
	}
	for _, want := range [][2]string{{nodes[1].Addr, "appendfsync"}, {nodes[2].Addr, "maxmemory-policy"}} {
		if !slices.ContainsFunc(got, func(w string) bool { return strings.Contains(w, want[0]) && strings.Contains(w, want[1]) }) {
			t.Errorf("%q does not name %s of %s", got, want[1], want[0])
		}
	}
}

// A slot moves to another node while events arrive for it. Some have to be sent
// again meanwhile; none is lost or stored twice, and the store follows the slot.
func TestASlotMovesUnderTraffic(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3, clusterArgs(t)...)
	s := openWith(t, Options{URL: clusterURL(nodes)})
	const moving = 7
	tr := startTraffic(t, s, "moving", 4, 2<<10, func(id string) bool {
		return eventRef("team/hooks", id).partition() == moving
	})
	tr.await(t, 100)
	from, to := moveSlot(t, nodes, dueName[moving], tr, s)
	tr.await(t, 100)
	tr.stop()
	if lost := tr.lost(t, s); lost > 0 {
		t.Errorf("%d of %d events are lost", lost, len(tr.acked))
	}
	got, err := s.Stats(t.Context())
	// A sender that was stopped may have stored one more than it knows.
	if err != nil || got.Pending < int64(len(tr.acked)) || got.Pending > int64(len(tr.acked)+4) {
		t.Errorf("%d are pending, %v, want %d", got.Pending, err, len(tr.acked))
	}
	if left := from.Do("DBSIZE"); left != "0" {
		t.Errorf("%s keeps %s keys of the slot", from.Addr, left)
	}
	for _, node := range nodes {
		wantNothingRefused(t, node)
	}
	t.Logf("%d events, %s keys moved from %s to %s; answers other than a 2xx: %v", len(tr.acked), to.Do("DBSIZE"), from.Addr, to.Addr, tr.errors)
}

// moveSlot gives the slot of key to another node, as redis-cli does, and takes
// its time for it: the move goes on only after tr has met it.
func moveSlot(t *testing.T, nodes []*redistest.Server, key string, tr *traffic, s *Store) (from, to *redistest.Server) {
	t.Helper()
	slot := nodes[0].Do("CLUSTER KEYSLOT " + key)
	i := slices.IndexFunc(nodes, func(s *redistest.Server) bool { return s.Do("CLUSTER COUNTKEYSINSLOT "+slot) != "0" })
	from, to = nodes[i], nodes[(i+1)%len(nodes)]
	to.Do("CLUSTER SETSLOT " + slot + " IMPORTING " + from.NodeID())
	from.Do("CLUSTER SETSLOT " + slot + " MIGRATING " + to.NodeID())
	redistest.Await(t, 10*time.Second, "an event meets the slot that moves", func() error {
		if met := tr.met("TRYAGAIN") + tr.met("ASK"); met == 0 {
			return errors.New("none did")
		}
		return nil
	})
	source := redis.NewClient(&redis.Options{Addr: from.Addr})
	defer source.Close()
	host, port, _ := net.SplitHostPort(to.Addr)
	for {
		keys, err := source.Do(t.Context(), "cluster", "getkeysinslot", slot, 10).StringSlice()
		must(t, err)
		if len(keys) == 0 {
			break
		}
		args := []any{"migrate", host, port, "", 0, 5000, "keys"}
		for _, key := range keys {
			args = append(args, key)
		}
		must(t, source.Do(t.Context(), args...).Err())
	}
	// All keys have moved, but nobody has been told: each read is redirected.
	if got, err := s.Stats(t.Context()); err != nil || got.Pending == 0 {
		t.Errorf("counted %+v, %v", got, err)
	}
	for _, node := range []*redistest.Server{to, from, nodes[(i+2)%len(nodes)]} {
		node.Do("CLUSTER SETSLOT " + slot + " NODE " + to.NodeID())
	}
	return from, to
}

// Each node of a Cluster has replicas of its own, so each is waited for by
// itself; and one that fails is replaced by its replica, without a loss of what
// was waited for.
func TestClusterWithReplicas(t *testing.T) {
	t.Parallel()
	masters := redistest.StartCluster(t, 3, clusterArgs(t)...)
	var replicas []*redistest.Server
	for _, master := range masters {
		replicas = append(replicas, redistest.StartClusterReplica(t, master, clusterArgs(t)...))
	}
	clock := newFakeClock()
	life(t, openWith(t, Options{URL: clusterURL(masters), Clock: clock.Now, Wait: oneReplica}), clock)

	hasty := openWith(t, Options{URL: clusterURL(masters), Wait: inVain})
	resume := stop(t, replicas[1])
	confirmed := map[bool]int{}
	for i := range 64 {
		_, _, err := hasty.Accept(t.Context(), sampleEvent("team/hooks", fmt.Sprint("one-", i)), testOptions)
		confirmed[err == nil]++
	}
	resume()
	if confirmed[true] == 0 || confirmed[false] == 0 || confirmed[true] < confirmed[false] {
		t.Errorf("with one of three replicas away %d events were confirmed and %d were not", confirmed[true], confirmed[false])
	}

	s := openWith(t, Options{URL: clusterURL(masters), Wait: Wait{Replicas: 1, Timeout: 250 * time.Millisecond}})
	tr := startTraffic(t, s, "cluster", 8, 2<<10, nil)
	tr.await(t, 200)
	moveSlot(t, masters, dueName[7], tr, s)
	tr.await(t, 200)
	masters[1].Kill()
	killed := time.Now()
	redistest.Await(t, 20*time.Second, "the replica takes over", func() error {
		if role := replicas[1].Info("replication", "role"); role != "master" {
			return fmt.Errorf("it is a %s", role)
		}
		return nil
	})
	tookOver := time.Since(killed)
	masters[1].Restart() // the others make it a replica of its successor
	redistest.AwaitReplica(t, masters[1], replicas[1])
	tr.await(t, 200)
	tr.stop()
	lost := tr.lost(t, openWith(t, Options{URL: clusterURL(masters)}))
	if lost > 0 {
		t.Errorf("%d of %d events that a replica had confirmed are lost", lost, len(tr.acked))
	}
	t.Logf("the replica took over after %s; %d of %d acknowledged events lost", tookOver.Round(time.Millisecond), lost, len(tr.acked))
}
