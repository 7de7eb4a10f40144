package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/test/redistest"
)

// healthyName is the endpoint whose target works.
const healthyName = "healthy"

// side is a receiver with a Redis of its own, a sender at a steady rate whose
// target works, and further endpoints. Sides can be compared: while one is
// measured the other one stands still.
type side struct {
	server   *redistest.Server
	receiver *child
	steady   *steady
	log      *store.Store
	frozen   bool
}

// newSide starts one. others are the addresses of further targets, by the names of
// their endpoints.
func newSide(ctx context.Context, stand *standIn, rate, bodyBytes int, others map[string]string) (*side, error) {
	s := &side{
		server: redistest.Start(stand, "--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"),
		steady: newSteady(rate, bodyBytes),
	}
	healthy, err := listen(ctx, s.steady)
	if err != nil {
		return nil, err
	}
	if s.log, err = store.Open(ctx, store.Options{URL: s.server.URL()}); err != nil {
		return nil, err
	}
	args := []string{"isolated", s.server.URL(), healthyName + "=" + healthy}
	for name, address := range others {
		args = append(args, name+"="+address)
	}
	if s.receiver, err = startChild(ctx, args...); err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	s.steady.receiver = s.receiver.Address
	stand.Cleanup(func() {
		_ = s.freeze(false) // what stands still doesn't end
		s.receiver.stop()
		_ = s.log.Close()
	})
	return s, nil
}

// freeze stops the processes of a side where they are, or has them go on.
func (s *side) freeze(still bool) error {
	if s.frozen == still {
		return nil
	}
	signal := syscall.SIGCONT
	if still {
		signal = syscall.SIGSTOP
	}
	s.frozen = still
	return errors.Join(syscall.Kill(s.receiver.cmd.Process.Pid, signal), syscall.Kill(s.server.PID(), signal))
}

// phase is one measurement.
type phase struct {
	events   int
	p50, p99 time.Duration
	// typical is the median of the p99 of each second: whatever else the machine
	// does for some seconds hardly changes it.
	typical time.Duration
	// cpu is what receiver and Redis spent per webhook to the healthy endpoint.
	cpu, redisCPU time.Duration
}

// measure sends to the healthy endpoint until ctx ends.
func (s *side) measure(ctx context.Context) (phase, error) {
	lasting := context.WithoutCancel(ctx)
	cpu, redisCPU, err := s.cpu(lasting)
	if err != nil {
		return phase{}, err
	}
	took, err := s.steady.measure(ctx, healthyName)
	if err != nil {
		return phase{}, err
	}
	cpuAfter, redisAfter, err := s.cpu(lasting)
	if err != nil || len(took) == 0 {
		return phase{}, errors.Join(err, errors.New("nothing was measured"))
	}
	p := phase{events: len(took), typical: typicalP99(took, s.steady.rate)}
	slices.Sort(took)
	p.p50, p.p99 = quantile(took, 0.5), quantile(took, 0.99)
	each := time.Duration(len(took))
	p.cpu, p.redisCPU = (cpuAfter-cpu)/each, (redisAfter-redisCPU)/each
	return p, nil
}

func (s *side) measureFor(ctx context.Context, d time.Duration) (phase, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return s.measure(ctx)
}

// typicalP99 is the median of the p99 of so many values at a time.
func typicalP99(took []time.Duration, each int) time.Duration {
	var all []float64
	for chunk := range slices.Chunk(took, each) {
		if len(chunk) == each || len(all) == 0 {
			all = append(all, float64(quantile(slices.Sorted(slices.Values(chunk)), 0.99)))
		}
	}
	return time.Duration(median(all))
}

// cpu is what receiver and Redis have spent so far.
func (s *side) cpu(ctx context.Context) (receiver, redis time.Duration, err error) {
	counts, err := s.receiver.counts(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, field := range []string{"used_cpu_sys", "used_cpu_user"} {
		seconds, err := strconv.ParseFloat(s.server.Info("cpu", field), 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read the CPU time of Redis: %w", err)
		}
		redis += time.Duration(seconds * float64(time.Second))
	}
	return counts.CPU, redis, nil
}

// awaitHeld waits until the receiver holds so many deliveries, but for those
// that it may hold in memory.
func (s *side) awaitHeld(ctx context.Context, queued int) error {
	ctx, cancel := context.WithTimeout(ctx, holdWithin)
	defer cancel()
	return poll(ctx, 100*time.Millisecond, func() (bool, error) {
		stats, err := s.log.Stats(ctx)
		return stats.Held >= int64(queued*99/100), err
	})
}

// emptying is how a backlog came to its end.
type emptying struct {
	took     time.Duration // from when its targets work
	draining time.Duration // of this, the time in which they got something
	events   int64         // that they got
}

func (e emptying) perSecond() float64 { return float64(e.events) / e.draining.Seconds() }

// watch follows the end of a backlog, until nothing is held; got is what the
// targets have got so far.
func (s *side) watch(ctx context.Context, got func() int64) (e emptying, err error) {
	began, before := time.Now(), got()
	last, seen := began, before
	err = poll(ctx, 50*time.Millisecond, func() (bool, error) {
		now, more := time.Now(), got()
		if more > seen {
			e.draining += now.Sub(last)
		}
		last, seen = now, more
		stats, err := s.log.Stats(ctx)
		return stats.Held == 0, err
	})
	e.took, e.events = time.Since(began), seen-before
	return e, err
}
