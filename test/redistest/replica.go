package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// agreeTimeout bounds how long servers may take to find each other.
const agreeTimeout = 20 * time.Second

// StartReplica runs a replica of master and waits until it has all that master
// has.
func StartReplica(tb TB, master *Server, args ...string) *Server {
	tb.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	s := Start(tb, append([]string{"--replicaof", host, port}, args...)...)
	AwaitReplica(tb, s, master)
	return s
}

// AwaitReplica waits until s is a replica of master and has all that master has.
func AwaitReplica(tb TB, s, master *Server) {
	tb.Helper()
	Await(tb, agreeTimeout, s.Addr+" replicates "+master.Addr, func() error {
		if state := s.Info("replication", "master_link_status"); state != "up" {
			return fmt.Errorf("the link is %q", state)
		}
		// Only one that has been heard of counts for WAIT.
		if known := master.Do("INFO replication"); !strings.Contains(known, "port="+s.port()+",state=online") {
			return fmt.Errorf("the master knows\n%s", known)
		}
		return nil
	})
}

// MasterName is what StartSentinels calls the master.
const MasterName = "events"

// StartSentinels runs n Sentinels over a master with so many replicas. They take
// the master for down after one second, by a majority. args are further lines of
// their configuration. It returns when all of them know each other and all
// replicas.
func StartSentinels(tb TB, master *Server, replicas, n int, args ...string) []*Server {
	tb.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	var sentinels []*Server
	for range n {
		s := newServer(tb)
		lines := append([]string{
			"bind 127.0.0.1", "port " + s.port(), "dir " + s.Dir, "logfile redis.log",
			fmt.Sprintf("sentinel monitor %s %s %s %d", MasterName, host, port, n/2+1),
			"sentinel down-after-milliseconds " + MasterName + " 1000",
			"sentinel failover-timeout " + MasterName + " 5000",
		}, args...)
		config := filepath.Join(s.Dir, "sentinel.conf") // Sentinels keep what they know in it
		if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			tb.Fatalf("configure a sentinel: %v", err)
		}
		s.argv = []string{config, "--sentinel"}
		s.Restart()
		sentinels = append(sentinels, s)
	}
	want := fmt.Sprintf("slaves=%d,sentinels=%d", replicas, n)
	for _, s := range sentinels {
		Await(tb, agreeTimeout, "the sentinel on "+s.Addr+" knows all others", func() error {
			if known := s.Info("sentinel", "master0"); !strings.HasSuffix(known, want) {
				return fmt.Errorf("it knows %s, not yet %s", known, want)
			}
			return nil
		})
	}
	return sentinels
}
