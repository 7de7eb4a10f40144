// Command agent plays the parts around Sallyport in the end-to-end test, as
// pods of the cluster under test: the target that gets events, and the sender
// of signed webhooks. The test talks to it over HTTP, through the API server.
//
// With the argument "empty FOLDER" it removes what is in a folder, and ends: a
// volume that a test before has used.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// address is what the Services in test/e2e/manifests lead to.
const address = ":8080"

// headerTimeout bounds how long a client may take to say what it wants.
const headerTimeout = 10 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		slog.Error("the agent ends", "error", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return serve()
	case len(args) == 2 && args[0] == "empty":
		return empty(args[1])
	default:
		return fmt.Errorf("unknown arguments %q: give none, or empty FOLDER", args)
	}
}

// serve answers until it is told to end.
func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	newTarget().register(mux)
	newSender().register(mux)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: headerTimeout}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func empty(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, entry.Name())))
	}
	return err
}
