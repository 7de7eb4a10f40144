package cluster

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// Address returns an address of the loopback interface on which nobody listens:
// with the preferred port if that is free, else with any. 0 prefers none.
func Address(ctx context.Context, preferred int) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(preferred)))
	if err != nil && preferred != 0 {
		listener, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// addresses fills in those of the given addresses that are empty.
func addresses(ctx context.Context, wanted ...*string) error {
	for _, address := range wanted {
		if *address != "" {
			continue
		}
		free, err := Address(ctx, 0)
		if err != nil {
			return err
		}
		*address = free
	}
	return nil
}
