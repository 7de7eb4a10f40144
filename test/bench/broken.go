package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// broken are targets that are dead, each in its own way, until they are mended.
type broken struct {
	mended  chan struct{} // closed when they work
	refuser int           // a socket that is bound and does not listen
	got     atomic.Int64  // requests answered 200

	// addresses by name
	addresses map[string]string
}

// newBroken starts them. They end with the process.
func newBroken(ctx context.Context) (*broken, error) {
	b := &broken{mended: make(chan struct{}), addresses: map[string]string{}}
	for name, handler := range map[string]http.HandlerFunc{"hangs": b.hang, "answers-500": b.fail} {
		address, err := listen(ctx, handler)
		if err != nil {
			return nil, err
		}
		b.addresses[name] = address
	}
	address, err := b.refuse()
	b.addresses["refuses"] = address
	return b, err
}

// names of the targets.
func (b *broken) names() []string {
	names := make([]string, 0, len(b.addresses))
	for name := range b.addresses {
		names = append(names, name)
	}
	return names
}

func (b *broken) hang(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or it would not be seen that the client went away
	select {
	case <-b.mended:
		b.take(w, r)
	case <-r.Context().Done():
	}
}

func (b *broken) fail(w http.ResponseWriter, r *http.Request) {
	select {
	case <-b.mended:
		b.take(w, r)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (b *broken) take(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	b.got.Add(1)
}

// refuse takes a port whose connections are refused.
func (b *broken) refuse() (address string, err error) {
	b.refuser, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("make a socket: %w", err)
	}
	if err := syscall.Bind(b.refuser, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", fmt.Errorf("bind a socket: %w", err)
	}
	at, err := syscall.Getsockname(b.refuser)
	if err != nil {
		return "", fmt.Errorf("ask for the port of a socket: %w", err)
	}
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port), nil
}

// mend has all of them work from now on.
func (b *broken) mend() error {
	if err := syscall.Listen(b.refuser, 1024); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	file := os.NewFile(uintptr(b.refuser), "refuser")
	listener, err := net.FileListener(file)
	_ = file.Close() // the listener has a copy
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(b.take), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	close(b.mended)
	return nil
}
