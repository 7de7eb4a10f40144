package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver"
	"sallyport.dev/sallyport/receiver/store"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`

// parse runs parseFlags with enough flags for it to succeed, and args.
func parse(t *testing.T, variables map[string]string, args ...string) (receiver.Options, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	enough := []string{"--kubeconfig=" + file, "--redis-url=redis://127.0.0.1:1", "--route-namespace=sallyport-system"}
	return parseFlags(cli.Env{
		Name: "receiver", Args: append(enough, args...), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer),
		Lookup: func(name string) (string, bool) { value, ok := variables[name]; return value, ok },
	})
}

func TestDefaults(t *testing.T) {
	o, err := parse(t, map[string]string{"POD_NAME": "receiver-1"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Listen != ":8080" || o.AdminListen != ":9090" || o.ClusterDomain != "cluster.local" || o.ShutdownGrace != 30*time.Second || o.JournalRecords != store.DefaultJournalRecords || o.WarningsOnly || o.MaxConnections != defaultMaxConnections ||
		o.RouteNamespace != "sallyport-system" || o.Identity != "receiver-1" || o.Kubernetes.Host != "https://127.0.0.1:1" || o.Logger == nil || o.AuditLog == nil {
		t.Errorf("the options are %+v", o)
	}
}

func TestListsAndIdentity(t *testing.T) {
	o, err := parse(t, nil, "--listen=127.0.0.1:7000", "--trusted-proxies=10.0.0.0/8,192.0.2.1",
		"--connect-to=a/b:80=127.0.0.1:1", "--connect-to=a/c:81=[::1]:2")
	if err != nil {
		t.Fatal(err)
	}
	if o.ConnectTo["a/b:80"] != "127.0.0.1:1" || o.ConnectTo["a/c:81"] != "[::1]:2" || len(o.ConnectTo) != 2 {
		t.Errorf("connect-to is %v", o.ConnectTo)
	}
	if len(o.TrustedProxies) != 2 || o.TrustedProxies[1] != netip.MustParsePrefix("192.0.2.1/32") {
		t.Errorf("trusted-proxies is %v", o.TrustedProxies)
	}
	if host, _ := os.Hostname(); o.Identity != host+":7000" {
		t.Errorf("the identity is %q", o.Identity)
	}
}

func TestNormalEventsCanBeTurnedOff(t *testing.T) {
	if o, err := parse(t, nil, "--normal-events=false"); err != nil || !o.WarningsOnly {
		t.Errorf("WarningsOnly is %t, %v", o.WarningsOnly, err)
	}
}

func TestRedisFlags(t *testing.T) {
	o, err := parse(t, map[string]string{"SALLYPORT_REDIS_WAIT_AOF": "1,2"},
		"--redis-ca-file=ca", "--redis-cert-file=cert", "--redis-key-file=key", "--redis-wait-replicas=1", "--redis-wait-timeout=500ms")
	if err != nil {
		t.Fatal(err)
	}
	if want := (store.TLSFiles{CA: "ca", Cert: "cert", Key: "key"}); o.RedisTLS != want {
		t.Errorf("the files are %+v, want %+v", o.RedisTLS, want)
	}
	if want := (store.Wait{Replicas: 1, LocalAOF: 1, ReplicaAOF: 2, Timeout: 500 * time.Millisecond}); o.RedisWait != want {
		t.Errorf("it waits for %+v, want %+v", o.RedisWait, want)
	}
}

func TestWhatIsKept(t *testing.T) {
	for name, test := range map[string]struct {
		variables map[string]string
		args      []string
		bytes     int64
		retention time.Duration
	}{
		"by default":     {bytes: 1 << 30, retention: 720 * time.Hour},
		"a quantity":     {args: []string{"--max-queued-bytes=5Mi", "--dead-letter-retention=1h"}, bytes: 5 << 20, retention: time.Hour},
		"bytes":          {args: []string{"--max-queued-bytes=12345"}, bytes: 12345, retention: 720 * time.Hour},
		"no bounds":      {args: []string{"--max-queued-bytes=0", "--dead-letter-retention=0"}},
		"by environment": {variables: map[string]string{"SALLYPORT_MAX_QUEUED_BYTES": "2G", "SALLYPORT_DEAD_LETTER_RETENTION": "24h"}, bytes: 2e9, retention: 24 * time.Hour},
	} {
		o, err := parse(t, test.variables, test.args...)
		if err != nil || o.MaxQueuedBytes != test.bytes || o.DeadLetterRetention != test.retention {
			t.Errorf("%s: %d bytes, %s, %v, want %d and %s", name, o.MaxQueuedBytes, o.DeadLetterRetention, err, test.bytes, test.retention)
		}
	}
}

func TestMistakesAreUsageErrorsThatNameTheFlag(t *testing.T) {
	const password = "hunter2"
	for name, test := range map[string]struct{ arg, says string }{
		"no Redis":               {"--redis-url=", "--redis-url"},
		"not a Redis URL":        {"--redis-url=http://u:" + password + "@127.0.0.1", "--redis-url"},
		"a broken Redis URL":     {"--redis-url=redis://u:" + password + "@[::1", "--redis-url"},
		"half a wait":            {"--redis-wait-aof=1", "redis-wait-aof"},
		"not a wait":             {"--redis-wait-aof=1,all", "redis-wait-aof"},
		"no namespace":           {"--route-namespace=", "--route-namespace"},
		"not a size":             {"--max-queued-bytes=many", "max-queued-bytes"},
		"half a byte":            {"--max-queued-bytes=500m", "max-queued-bytes"},
		"a negative size":        {"--max-queued-bytes=-1", "max-queued-bytes"},
		"a negative retention":   {"--dead-letter-retention=-1h", "--dead-letter-retention"},
		"fewer than no records":  {"--journal-records=-1", "--journal-records"},
		"negative connections":   {"--max-connections=-1", "--max-connections"},
		"no grace":               {"--shutdown-grace=0s", "--shutdown-grace"},
		"negative delay":         {"--shutdown-delay=-1s", "--shutdown-delay"},
		"not a network":          {"--trusted-proxies=10.0.0.0/33", "--trusted-proxies"},
		"no port":                {"--connect-to=a/b=c", "connect-to"},
		"a named port":           {"--connect-to=a/b:http=c:80", "connect-to"},
		"no address":             {"--connect-to=a/b:80", "connect-to"},
		"no service":             {"--connect-to=a/:80=c:80", "connect-to"},
		"no namespace in target": {"--connect-to=b:80=c:80", "connect-to"},
		"no kubeconfig":          {"--kubeconfig=/nonexistent", "/nonexistent"},
		"a listen without port":  {"--listen=localhost", "--listen"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, nil, test.arg)
			if _, ok := errors.AsType[*cli.UsageError](err); !ok || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want a UsageError that names %s", err, test.says)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}
