package store

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

const aclPassword = "s3cret"

// documentedUser returns the user that docs/operations.md tells operators to
// make for "redis" or "sentinel", and what else it tells them to allow.
func documentedUser(t *testing.T, of string, also ...string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	found := regexp.MustCompile("(?m)^# " + of + "\nuser sallyport on (.*)$").FindSubmatch(text)
	if found == nil {
		t.Fatalf("docs/operations.md has no user for %s", of)
	}
	for _, rule := range also {
		if !strings.Contains(string(text), "`"+rule+"`") {
			t.Errorf("docs/operations.md does not say that %q may be needed", rule)
		}
	}
	rules := strings.Fields(strings.ReplaceAll(string(found[1]), "PASSWORD", aclPassword))
	return append(append([]string{"sallyport", "on"}, rules...), strings.Fields(strings.Join(also, " "))...)
}

// aclArgs are the user for the command line of a server.
func aclArgs(user []string) []string { return append([]string{"--user"}, user...) }

// wantNothingRefused fails if the user tried what it may not.
func wantNothingRefused(t *testing.T, server *redistest.Server) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	log, err := client.Do(t.Context(), "acl", "log").Slice()
	if err != nil || len(log) > 0 {
		t.Errorf("%s refused %v, %v", server.Addr, log, err)
	}
}

// The user of the documentation can do what is needed, and nothing else.
func TestTheDocumentedUserIsEnough(t *testing.T) {
	server := redistest.Start(t, slices.Concat([]string{"--appendonly", "yes"}, aclArgs(documentedUser(t, "redis", "+setrange +wait", "+select")))...)
	redistest.StartReplica(t, server)
	url := "redis://sallyport:" + aclPassword + "@" + server.Addr
	for name, o := range map[string]Options{
		"plain": {URL: url}, "waiting": {URL: url, Wait: oneReplica}, "another database": {URL: url + "/3"},
	} {
		t.Run(name, func(t *testing.T) {
			server.Do("FLUSHALL")
			fake := newFakeClock()
			o.Clock = fake.Now
			s := openWith(t, o)
			life(t, s, fake)
			late := owned(t, s, "late")
			fake.Advance(2 * testWindow)
			must(t, s.Delivered(t.Context(), late))
			if warnings, err := s.CheckPolicy(t.Context()); err != nil || len(warnings) > 0 {
				t.Errorf("CheckPolicy: %q, %v", warnings, err)
			}
			if measured := (&clock{local: time.Now}); measured.measure(t.Context(), s.client) != measureEvery {
				t.Error("the user may not ask for the time")
			}
			if _, err := s.Measure(t.Context()); err != nil {
				t.Errorf("the user may not ask how full redis is: %v", err)
			}
		})
	}
	wantNothingRefused(t, server)

	s := openWith(t, Options{URL: url})
	for _, command := range []string{
		"flushall", "flushdb", "keys *", "scan 0", "config set maxmemory 1", "config rewrite", "acl list", "acl setuser x", "shutdown",
		"get other", "set other 1", "eval return(redis.call('get','other')) 0", "eval return(redis.call('keys','*')) 0",
		"script flush", "replicaof no one", "monitor", "client list", "module list", "publish a b", "subscribe a", "save",
		"dbsize", "rename sallyport:a sallyport:b", "persist sallyport:a", "unlink sallyport:a",
	} {
		args := []any{}
		for word := range strings.FieldsSeq(command) {
			args = append(args, word)
		}
		if err := s.client.Do(t.Context(), args...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "can't") && !strings.Contains(err.Error(), "permission") {
			t.Errorf("%s: got %v, want it refused", command, err)
		}
	}
	wrong := openWith(t, Options{URL: "redis://sallyport:wrong@" + server.Addr})
	if err := wrong.Ping(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("a wrong password: got %v, want ErrUnavailable that says WRONGPASS", err)
	}
}
