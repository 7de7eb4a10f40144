package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Scripts that are confirmed share round trips, as others do: up to so many
// scripts or bytes, and so many groups on their way to one server.
const (
	maxGroup      = 300
	maxGroupBytes = 1 << 20
	maxGroups     = 4
)

// A script that met another topology of a Cluster than the client knows is tried
// again so often, after a wait that doubles.
const (
	clusterTries = 4
	clusterWait  = 40 * time.Millisecond
)

// confirmer runs scripts and answers each when as many servers as Wait asks for
// have what it wrote. WAIT and WAITAOF are about the writes of their own
// connection, so a group of scripts and its waits are one pipeline to one server.
// It is apart from the pipeline of all other scripts: those must not stand
// behind a wait. It is safe for concurrent use.
type confirmer struct {
	client  redis.UniversalClient
	wait    Wait
	timeout time.Duration // of a group, beside what its bytes may take

	running sync.WaitGroup
	mu      sync.Mutex
	queues  map[string]*queue // by address of the server
}

// queue holds the scripts for one server; confirmer.mu guards it.
type queue struct {
	waiting []*confirmation
	groups  int // on their way
}

// confirmation is one script and what became of it.
type confirmation struct {
	ctx    context.Context // of the caller; one that is gone needs nothing stored
	server *redis.Client
	cmd    *redis.Cmd
	size   int64
	done   chan struct{} // closed when cmd and err are set
	err    error         // of the waits
}

func newConfirmer(client redis.UniversalClient, o Options) *confirmer {
	return &confirmer{client: client, wait: o.Wait, timeout: o.Timeout + o.Wait.longest(), queues: map[string]*queue{}}
}

// run runs sc as Store.run does. ErrUnconfirmed: it has run, but too few servers
// have its effect.
func (c *confirmer) run(ctx context.Context, sc script, keys []string, args []any) (any, error) {
	name, body := "evalsha", sc.sha
	for try := 1; ; try++ {
		reply, err := c.once(ctx, sc.command(ctx, name, body, keys, args), keys[0], sizeOf(args))
		switch {
		case isNoScript(err) && name == "evalsha":
			name, body = "eval", sc.source
		case c.isElsewhere(ctx, err) && try < clusterTries:
			if err := pause(ctx, clusterWait<<(try-1)); err != nil {
				return nil, err
			}
		default:
			return reply, err
		}
	}
}

// isElsewhere reports whether a server of a Cluster may be the wrong one by now. If
// so, it makes the client ask again which server has what.
func (c *confirmer) isElsewhere(ctx context.Context, err error) bool {
	cluster, ok := c.client.(*redis.ClusterClient)
	if !ok || err == nil || errors.Is(err, ErrUnconfirmed) || ctx.Err() != nil {
		return false
	}
	if !isElsewhere(err) {
		return false
	}
	cluster.ReloadState(ctx)
	return true
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once runs cmd with others on the server that has key.
func (c *confirmer) once(ctx context.Context, cmd *redis.Cmd, key string, size int64) (any, error) {
	server, err := c.server(ctx, key)
	if err != nil {
		return nil, err
	}
	q := &confirmation{ctx: ctx, server: server, cmd: cmd, size: size, done: make(chan struct{})}
	if err := c.enqueue(ctx, q); err != nil {
		return nil, err
	}
	select {
	case <-q.done:
		if err := cmd.Err(); err != nil {
			return nil, err
		}
		return cmd.Val(), q.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *confirmer) server(ctx context.Context, key string) (*redis.Client, error) {
	switch client := c.client.(type) {
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, key)
	case *redis.Client:
		return client, nil
	default:
		return nil, fmt.Errorf("a client of type %T has no servers to wait for", client)
	}
}

// enqueue adds one to the queue of its server. A group sets out at once while there
// are few, and else when one of them is back, with all that came meanwhile.
func (c *confirmer) enqueue(ctx context.Context, one *confirmation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	address := one.server.Options().Addr
	q := c.queues[address]
	if q == nil {
		q = &queue{}
		c.queues[address] = q
	}
	if len(q.waiting) >= maxQueued {
		return errors.New("too many events wait for redis")
	}
	q.waiting = append(q.waiting, one)
	if q.groups < maxGroups {
		q.groups++
		ctx := context.WithoutCancel(ctx)
		c.running.Go(func() { c.work(ctx, q) })
	}
	return nil
}

// work sends groups until nothing is queued.
func (c *confirmer) work(ctx context.Context, q *queue) {
	for group := c.next(q); len(group) > 0; group = c.next(q) {
		c.send(ctx, group)
	}
}

// next takes a group out of a queue; after an empty one the caller must end.
func (c *confirmer) next(q *queue) []*confirmation {
	c.mu.Lock()
	defer c.mu.Unlock()
	var group []*confirmation
	taken, bytes := 0, int64(0)
	for _, one := range q.waiting {
		if len(group) == maxGroup || len(group) > 0 && bytes+one.size > maxGroupBytes {
			break
		}
		taken++
		if one.ctx.Err() == nil {
			group = append(group, one)
			bytes += one.size
		}
	}
	clear(q.waiting[:taken])
	q.waiting = q.waiting[taken:]
	if len(group) == 0 {
		q.groups--
	}
	return group
}

// send runs a group. The client may run all of it once more on another
// connection: each script knows its own earlier run, and then writes again, so
// that the wait is about it there, too.
func (c *confirmer) send(ctx context.Context, group []*confirmation) {
	var bytes int64
	for _, one := range group {
		bytes += one.size
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout+transferTime(bytes))
	defer cancel()
	waits := c.wait.commands(ctx)
	_, _ = group[len(group)-1].server.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, q := range group {
			_ = pipe.Process(ctx, q.cmd)
		}
		for _, wait := range waits {
			_ = pipe.Process(ctx, wait)
		}
		return nil
	}) // each command has its own error
	err := c.wait.check(waits)
	for _, q := range group {
		q.err = err
		close(q.done)
	}
}

// probe returns ErrUnsupported if a server can't do what Wait asks for.
func (c *confirmer) probe(ctx context.Context) error {
	ask := func(ctx context.Context, server *redis.Client) error { return c.wait.probe(ctx, server) }
	switch client := c.client.(type) {
	case *redis.ClusterClient:
		return client.ForEachMaster(ctx, ask)
	case *redis.Client:
		return ask(ctx, client)
	default:
		return nil
	}
}

// probe asks server for less than it will be asked for: it answers at once.
func (w Wait) probe(ctx context.Context, server *redis.Client) error {
	if w.waits() {
		if err := server.Do(ctx, "wait", 0, 1).Err(); err != nil {
			return unsupported("WAIT", err)
		}
	}
	if w.waitsAOF() {
		if err := server.Do(ctx, "waitaof", w.LocalAOF, 0, 1).Err(); err != nil {
			return unsupported("WAITAOF", err)
		}
	}
	return nil
}

// unsupported returns ErrUnsupported for a server that can never do a command, and the
// error itself for one that can't now.
func unsupported(command string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "unknown command"):
		return fmt.Errorf("%w: it does not know %s, which came with Redis 7.2 and is in every Valkey", ErrUnsupported, command)
	case strings.Contains(text, "appendonly is disabled"):
		return fmt.Errorf("%w: it keeps no append-only file to wait for; set appendonly to yes", ErrUnsupported)
	case redis.IsPermissionError(err):
		return fmt.Errorf("%w: its user may not call %s", ErrUnsupported, command)
	default:
		return err
	}
}
