package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// sentinelURL is of the form that docs/operations.md gives, with one user for
// the Sentinels and for Redis.
func sentinelURL(sentinels []*redistest.Server) string {
	url := fmt.Sprintf("redis://sallyport:%s@%s/0?master_name=%s&username=sallyport&password=%[1]s",
		aclPassword, sentinels[0].Addr, redistest.MasterName)
	for _, s := range sentinels[1:] {
		url += "&addr=" + s.Addr
	}
	return url
}

// The master is killed while its replicas lag behind by megabytes. What was
// waited for is all there afterwards. What was not may be gone; how much is
// printed, not asserted.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	args := append([]string{"--appendonly", "yes"}, aclArgs(documentedUser(t, "redis", "+setrange +wait"))...)
	master := redistest.Start(t, args...)
	replicas := []*redistest.Server{redistest.StartReplica(t, master, args...), redistest.StartReplica(t, master, args...)}
	sentinels := redistest.StartSentinels(t, master, 2, 3, "user "+strings.Join(documentedUser(t, "sentinel"), " "))
	url := sentinelURL(sentinels)
	plain := openWith(t, Options{URL: url})
	waiting := openWith(t, Options{URL: url, Wait: Wait{Replicas: 1, Timeout: 250 * time.Millisecond}})
	fake := newFakeClock()
	life(t, openWith(t, Options{URL: url, Clock: fake.Now}), fake)
	if warnings, err := plain.CheckPolicy(t.Context()); err != nil || len(warnings) > 0 {
		t.Errorf("CheckPolicy: %q, %v", warnings, err)
	}
	for _, server := range append(sentinels, master) {
		wantNothingRefused(t, server)
	}

	sure := startTraffic(t, waiting, "waited for", 4, 2<<10, nil)
	hasty := startTraffic(t, plain, "not waited for", 4, 512<<10, nil)
	sure.await(t, 200)
	hasty.await(t, 20)
	// From here on the replicas take in no more than what fits into buffers.
	var resume []func()
	for _, replica := range replicas {
		resume = append(resume, stop(t, replica))
	}
	stopped := time.Now()
	hasty.await(t, 60)
	master.Kill()
	for _, resume := range slices.Backward(resume) {
		resume()
	}
	killed := time.Now()
	hasty.await(t, 20)
	hasty.stop() // so that the other replica gets its turn
	sure.await(t, 200)
	sure.stop()

	lost := sure.lost(t, plain)
	if lost > 0 {
		t.Errorf("%d of %d events that a replica had confirmed are lost", lost, len(sure.acked))
	}
	gone := hasty.lost(t, plain)
	t.Logf("failover: acknowledged again after %s; with WAIT, so with a replica again, after %s",
		hasty.firstAfter(killed), sure.firstAfter(killed))
	t.Logf("with WAIT: %d of %d acknowledged events lost; without: %d of %d, when the master was killed %s after its replicas hung",
		lost, len(sure.acked), gone, len(hasty.acked), killed.Sub(stopped).Round(time.Millisecond))
}
