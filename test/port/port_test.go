package port

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// asChild has the test program print an address and hold it until its stdin ends.
const asChild = "SALLYPORT_TEST_PORT_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		m.Run()
		return
	}
	address, err := Address(context.Background())
	fmt.Println(address, err)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestAPortBelongsToAProcessForAsLongAsItLives(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program)
	child.Env = append(os.Environ(), asChild+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSuffix(line, " <nil>\n")
	held := portOf(t, address)

	if again, err := reserve(t.Context(), held); err == nil {
		t.Errorf("this process got %s, which is another's", again)
	}
	if err := Free(t.Context(), address); err != nil {
		t.Errorf("no server could listen on it: %v", err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if again, err := reserve(t.Context(), held); err != nil || again != address {
		t.Errorf("once that process had ended, this one got %q, %v", again, err)
	}
	if again, err := reserve(t.Context(), held); err == nil {
		t.Errorf("this process got %s twice", again)
	}
}

func TestAPortIsPassedOverWhileAServerHasItOrTheOneForTheBus(t *testing.T) {
	for _, above := range []int{0, busDistance} {
		address, err := Address(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		port := portOf(t, address)
		release(t, address)
		server, err := net.Listen("tcp", loopback(port+above))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := reserve(t.Context(), port); err == nil {
			t.Errorf("got %s although a server listens on port %d", again, port+above)
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := reserve(t.Context(), port); err != nil {
			t.Errorf("port %d is free again: %v", port, err)
		}
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// release gives up the address that this process reserved last.
func release(t *testing.T, address string) {
	t.Helper()
	reserved.Lock()
	defer reserved.Unlock()
	last := len(reserved.sockets) - 1
	socket := reserved.sockets[last]
	if socket.LocalAddr().String() != address {
		t.Fatalf("the last address is %s, not %s", socket.LocalAddr(), address)
	}
	reserved.sockets = reserved.sockets[:last]
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
}
