package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sallyport.dev/sallyport/receiver/route"
)

// newIsolated serves an endpoint bench/<name> for each target. args are the URL of
// Redis and <name>=<address> for each.
func newIsolated(ctx context.Context, args []string) (http.Handler, error) {
	if len(args) < 2 {
		return nil, errors.New("isolated needs the URL of Redis and the targets")
	}
	connect := map[string]string{}
	var endpoints []endpoint
	for _, arg := range args[1:] {
		name, address, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not <name>=<address>", arg)
		}
		endpoints = append(endpoints, endpoint{name, isolatedPath(name), name})
		connect[fmt.Sprintf("bench/%s:%d", name, gatePort)] = address
	}
	live := route.NewLive("cluster.local")
	if err := publish(live, endpoints...); err != nil {
		return nil, err
	}
	return newReceiver(ctx, live, connect, args[0])
}

func isolatedPath(name string) string { return "/bench/" + name }
