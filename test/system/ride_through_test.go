package system

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/redistest"
)

// GitHub waits for ten seconds and never comes again, so receivers try for eight to store
// what it sent.
const (
	outage = 5 * time.Second
	// mostOutage is what a machine that is busy may make of it. Beyond it, nothing is learnt
	// here: the rest of the eight seconds has to be enough for the receiver.
	mostOutage = 6 * time.Second
	perSecond  = 60
)

// steady is a sender that sends one event after the other, each once, whatever comes
// of it.
type steady struct {
	w       *world
	stop    chan struct{}
	sending sync.WaitGroup

	mu      sync.Mutex
	answers map[string]string // what came of each event
}

func (w *world) sendSteadily(e endpoint) *steady {
	s := &steady{w: w, stop: make(chan struct{}), answers: map[string]string{}}
	s.sending.Go(func() {
		ticker := time.NewTicker(time.Second / perSecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-s.stop:
				return
			case <-ticker.C:
				s.sending.Go(func() { s.send(e, fmt.Sprint("event-", i)) })
			}
		}
	})
	return s
}

func (s *steady) send(e endpoint, id string) {
	began := time.Now()
	body := bodyOf(id)
	answer, err := cluster.Post(s.w.ctx, s.w.receiver.URL+e.path, cluster.GitHub(secretValue, "push", id, []byte(body)), []byte(body))
	said := ""
	switch took := time.Since(began).Round(time.Millisecond); {
	case err != nil:
		said = fmt.Sprintf("%v after %s", err, took)
	case answer.Status != http.StatusOK:
		said = fmt.Sprintf("%d %s after %s", answer.Status, answer.Body, took)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[id] = said
}

// awaitMore waits until the target has got a second's events more.
func (s *steady) awaitMore() {
	s.w.t.Helper()
	_, err := s.w.target.Requests.AwaitN(s.w.ctx, len(s.w.target.Requests.All())+perSecond, func(cluster.Received) bool { return true })
	s.w.must(err)
}

// expectAllTaken ends the sender, and checks that each event was taken and is delivered.
func (s *steady) expectAllTaken() {
	s.w.t.Helper()
	close(s.stop)
	s.sending.Wait()
	failed := 0
	for id, said := range s.answers {
		if said == "" {
			s.w.awaitDelivery(id)
			continue
		}
		if failed++; failed <= 5 {
			s.w.t.Errorf("%s was answered %s", id, said)
		}
	}
	if failed > 0 {
		s.w.t.Errorf("%d of %d requests failed", failed, len(s.answers))
	}
	retried := s.w.metric("sallyport_accepts_retried_total")
	if retried == "" || retried == "0" {
		s.w.t.Error("no event had to wait: the test tests nothing")
	}
	s.w.t.Logf("%d events, %s of which had to wait", len(s.answers), retried)
}

func TestNoRequestFailsWhileRedisRestarts(t *testing.T) {
	w := newRunningWorld(t)
	sender := w.sendSteadily(w.newEndpoint("github"))
	sender.awaitMore()

	began := time.Now()
	w.must(syscall.Kill(w.redis.PID(), syscall.SIGTERM))
	redistest.Await(t, outage, "Redis ends", func() error {
		if listens(w.redis.Addr) {
			return fmt.Errorf("%s still listens", w.redis.Addr)
		}
		return nil
	})
	time.Sleep(outage - time.Since(began))
	w.restartRedis()
	enough(t, sender, began)
	sender.awaitMore()

	w.redis.Kill()
	w.restartRedis()
	sender.awaitMore()
	sender.expectAllTaken()
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// enough skips the test if the machine was too busy to bring Redis back in time.
func enough(t *testing.T, s *steady, began time.Time) {
	t.Helper()
	if took := time.Since(began); took > mostOutage {
		close(s.stop)
		s.sending.Wait()
		t.Skipf("Redis was away for %s", took)
	}
}

// Sentinels take a replica for the master that died.
func TestNoRequestFailsDuringAFailover(t *testing.T) {
	w := newWorld(t)
	replica := redistest.StartReplica(t, w.redis, "--appendonly", "yes")
	var others []string
	sentinels := redistest.StartSentinels(t, w.redis, 1, 3)
	for _, s := range sentinels[1:] {
		others = append(others, "&addr="+s.Addr)
	}
	options := w.receiverOptions("a")
	options.RedisURL = sentinels[0].URL() + "/0?master_name=" + redistest.MasterName + strings.Join(others, "")
	var err error
	w.receiver, err = shared.StartReceiver(w.ctx, options)
	w.must(err)
	w.endWithTest(w.receiver)
	sender := w.sendSteadily(w.newEndpoint("github"))
	sender.awaitMore()

	began := time.Now()
	w.redis.Kill()
	redistest.Await(t, testTimeout/2, "the replica is the master", func() error {
		if role := replica.Info("replication", "role"); role != "master" {
			return fmt.Errorf("it is a %s", role)
		}
		return nil
	})
	enough(t, sender, began)
	sender.awaitMore()
	sender.expectAllTaken()
}
