package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// The server's clock is measured again so often; sooner after a failure, since
// until the first success the local clock is all there is.
const (
	measureEvery = time.Minute
	measureAgain = time.Second
)

// MaxSkew is by how much the Redis server's clock may differ from the local one. Beyond,
// one of them is wrong, and nobody here can know which.
const MaxSkew = 5 * time.Minute

// clock is the local clock plus its measured difference to the Redis server's,
// so that receivers whose clocks differ agree on when a lease ends.
type clock struct {
	local   func() time.Time
	offset  atomic.Int64 // ns, what is added to the local clock
	read    atomic.Int64 // ns, the last reading of the difference
	known   bool         // there was one; of the goroutine that measures
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func startClock(ctx context.Context, client redis.UniversalClient, o Options) *clock {
	if o.Clock != nil {
		return &clock{local: o.Clock, cancel: func() {}}
	}
	c := &clock{local: time.Now}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	next := c.measure(ctx, client)
	cancel()
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.running.Go(func() { c.keepMeasuring(ctx, client, o.Timeout, next) })
	return c
}

func (c *clock) now() time.Time { return c.local().Add(time.Duration(c.offset.Load())) }

// certain is now unless the clocks differ too much; then it is the earliest time that
// one of them might mean.
func (c *clock) certain() time.Time {
	local, read := c.local(), time.Duration(c.read.Load())
	return local.Add(certainOffset(time.Duration(c.offset.Load()), read))
}

func certainOffset(offset, read time.Duration) time.Duration {
	if read.Abs() <= MaxSkew {
		return offset
	}
	return min(offset, read, 0)
}

// nextOffset is what is added to the local clock after a reading. A server that is far
// from the local clock is believed only if it always was: so receivers that start
// agree with each other, and a server that jumps, such as another one after a failover,
// moves no lease.
func nextOffset(offset time.Duration, known bool, read time.Duration) time.Duration {
	if known && read.Abs() > MaxSkew && (read-offset).Abs() > MaxSkew {
		return offset
	}
	return read
}

func (c *clock) stop() {
	c.cancel()
	c.running.Wait()
}

func (c *clock) keepMeasuring(ctx context.Context, client redis.UniversalClient, timeout, next time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		bounded, cancel := context.WithTimeout(ctx, timeout)
		next = c.measure(bounded, client)
		cancel()
	}
}

// measure asks for the server's time and takes it to be that of the middle of
// the round trip. It returns when to measure next. An error needs no report: it
// leaves the last offset in place, and whatever else talks to Redis fails too.
func (c *clock) measure(ctx context.Context, client redis.UniversalClient) time.Duration {
	sent := c.local()
	server, err := client.Time(ctx).Result()
	if err != nil {
		return measureAgain
	}
	took := c.local().Sub(sent)
	c.note(server.Sub(sent.Add(took / 2)))
	return measureEvery
}

func (c *clock) note(read time.Duration) {
	c.read.Store(int64(read))
	c.offset.Store(int64(nextOffset(time.Duration(c.offset.Load()), c.known, read)))
	c.known = true
}
