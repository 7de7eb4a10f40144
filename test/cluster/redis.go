package cluster

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"sallyport.dev/sallyport/test/port"
)

// StartRedis starts the Redis server at path, see RedisServer, and waits until
// it answers at url. It keeps an append-only file in Dir, as config/redis does.
// Its log is in the process's Log. Tests that are to stop and restart Redis use
// the package redistest.
func (c *Cluster) StartRedis(ctx context.Context, path string) (process *Process, url string, err error) {
	address, err := port.Address(ctx)
	if err != nil {
		return nil, "", err
	}
	_, number, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	process, err = c.janitor.start(program{name: "redis", path: path, args: []string{
		"--bind", "127.0.0.1", "--port", number, "--dir", c.Dir, "--save", "", "--logfile", "/dev/stderr",
		"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
	}})
	if err != nil {
		return nil, "", err
	}
	if err := awaitPong(ctx, process, address); err != nil {
		process.Kill()
		return nil, "", err
	}
	return process, "redis://" + address, nil
}

// awaitPong asks until a Redis server answers PING; it speaks the inline form
// of the protocol (redis.io, "Redis serialization protocol specification").
func awaitPong(ctx context.Context, process *Process, address string) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := ping(ctx, address)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-process.Exited():
			return process.failed(fmt.Errorf("%s ended before it answered", process.Name))
		case <-ctx.Done():
			return process.failed(fmt.Errorf("%s does not answer: %w", process.Name, err))
		}
	}
}

func ping(ctx context.Context, address string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err == nil && !strings.HasPrefix(string(answer[:n]), "+PONG") {
		err = fmt.Errorf("redis answered %q to PING", answer[:n])
	}
	return err
}
