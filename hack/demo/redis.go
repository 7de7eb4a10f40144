package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/alicebob/miniredis/v2"

	"sallyport.dev/sallyport/test/cluster"
)

// startRedis starts a real server or, where none can be had, one inside of this
// process, and says which.
func (d *demo) startRedis(ctx context.Context) error {
	d.out.step("redis")
	path, err := cluster.RedisServer(ctx, d.root, d.out)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return d.embedRedis()
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, url, err := d.cluster.StartRedis(ctx, path)
	if err != nil {
		return err
	}
	d.redisURL = url
	d.onStop(server.Stop)
	d.out.done("%s, process %d, at %s", filepath.Base(path), server.PID, url)
	return nil
}

func (d *demo) embedRedis() error {
	embedded, err := miniredis.Run()
	if err != nil {
		return fmt.Errorf("start an embedded Redis: %w", err)
	}
	d.redisURL = "redis://" + embedded.Addr()
	d.onStop(func(context.Context) error { embedded.Close(); return nil })
	d.out.done("NO REDIS SERVER FOUND: an imitation in memory (miniredis) takes its place; nothing survives it")
	return nil
}
