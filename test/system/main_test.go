package system

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/cluster"
)

// testTimeout bounds one test. None needs a tenth of it on an idle machine.
const testTimeout = 90 * time.Second

// publicURL is what the manager is told; nothing listens there.
const publicURL = "https://hooks.example.test"

// What all tests share.
var (
	shared  *cluster.Cluster
	manager *cluster.Manager
	bin     string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// run starts what the tests share. The cluster's janitor ends all of it, too,
// if this process does not get to.
func run(m *testing.M) (code int, err error) {
	// Tests that run beside others wait for leases to end, not for a processor.
	if err := flag.Set("test.parallel", "16"); err != nil {
		return 0, err
	}
	ctx := context.Background()
	root, err := cluster.Root()
	if err != nil {
		return 0, err
	}
	assets, err := cluster.Assets(ctx, root, os.Stderr)
	if err != nil {
		return 0, err
	}
	if bin, err = cluster.Build(ctx, root); err != nil {
		return 0, err
	}
	if shared, err = cluster.Start(ctx, cluster.Options{Root: root, Assets: assets, Bin: bin}); err != nil {
		return 0, err
	}
	if err = startManager(ctx); err == nil {
		code = m.Run()
		stopping, cancel := context.WithTimeout(ctx, testTimeout)
		defer cancel()
		err = manager.Stop(stopping)
	}
	if stopErr := shared.Stop(); err == nil {
		err = stopErr
	}
	return code, err
}

func startManager(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	manager, err = shared.StartManager(ctx, cluster.ManagerOptions{PublicURL: publicURL})
	return err
}

func program(name string) string { return filepath.Join(bin, name) }
