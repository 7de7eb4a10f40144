package main

import (
	"context"
	"io"
	"net/http"
)

// servers are what a child can serve, by the name after `serve`.
var servers = map[string]func(ctx context.Context, args []string) (http.Handler, error){
	"bare":     newBare,
	"gate":     newGate,
	"isolated": newIsolated,
	"relay":    newRelay,
	"target":   newTarget,
}

// newTarget takes everything and answers 200.
func newTarget(context.Context, []string) (http.Handler, error) {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // half a request is not worth a word
	}), nil
}
