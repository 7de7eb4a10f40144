// Package port gives ports of the loopback interface to the servers that tests,
// the demo and the benchmarks start.
//
// A port that the kernel picks is free only for a moment: it comes from the range
// from which every listener without a wish and every outgoing connection is served,
// so a server that is killed may find its port taken when it starts again. The
// ports here lie below that range (32768 and up on Linux, 49152 and up by RFC 6335)
// and belong to the process that asked for as long as it lives.
//
// It assumes that nobody else on the machine looks for a port in its range; a
// port that is taken all the same is passed over.
package port

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The nodes of a Redis Cluster talk by a second port, which is busDistance above
// the first, so each port is given together with that one.
const (
	lowest      = 12000
	busDistance = 10000
	count       = busDistance
)

// reserved keeps the sockets by which this process holds its ports: a socket that
// nobody refers to would be closed by the garbage collector.
var reserved struct {
	sync.Mutex
	sockets []net.PacketConn
}

// Address returns an address of the loopback interface, "127.0.0.1:<port>", that
// no other caller gets while this process lives, in this process or another.
func Address(ctx context.Context) (string, error) {
	first := rand.IntN(count) // processes that start together look at different ports
	for i := range count {
		address, err := reserve(ctx, lowest+(first+i)%count)
		if err == nil {
			return address, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", fmt.Errorf("none of the ports from %d to %d is free", lowest, lowest+count-1)
}

// reserve holds a TCP port by the UDP port of the same number, which the servers
// leave alone, and which the kernel takes back with the process.
func reserve(ctx context.Context, port int) (string, error) {
	var config net.ListenConfig
	address := loopback(port)
	socket, err := config.ListenPacket(ctx, "udp", address)
	if err != nil {
		return "", err
	}
	if err := errors.Join(Free(ctx, address), Free(ctx, loopback(port+busDistance))); err != nil {
		return "", errors.Join(err, socket.Close())
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.sockets = append(reserved.sockets, socket)
	return address, nil
}

// Free returns nil if a server could listen on the address now.
func Free(ctx context.Context, address string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
