package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

// TestThePasswordCanBeChanged: connections that are made after the change use the new
// password, and nobody restarts for it.
func TestThePasswordCanBeChanged(t *testing.T) {
	server := redistest.Start(t)
	admin := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer admin.Close()
	setUser := func(rules ...any) {
		t.Helper()
		must(t, admin.Do(t.Context(), append([]any{"acl", "setuser", "sallyport", "on", "~*", "&*", "+@all"}, rules...)...).Err())
	}
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) { must(t, os.WriteFile(file, []byte(text), 0o600)) }

	setUser(">first")
	write("first\n")
	s, err := Open(t.Context(), Options{URL: "redis://sallyport@" + server.Addr, PasswordFile: file})
	must(t, err)
	defer s.Close()
	accept(t, s, "1", testOptions, Accepted)

	setUser(">second")
	write("second")
	setUser("<first")
	must(t, admin.Do(t.Context(), "client", "kill", "user", "sallyport").Err())
	accept(t, s, "2", testOptions, Accepted)
	accept(t, s, "1", testOptions, Duplicate)
}

// TestAPasswordThatIsMissing is told at start, and no error shows one.
func TestAPasswordThatIsMissing(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for file, want := range map[string]string{empty: "is empty", empty + "-not": "no such file"} {
		if _, err := Open(t.Context(), Options{URL: "redis://127.0.0.1:1", PasswordFile: file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// oldError is what a Redis answers.
type oldError string

func (e oldError) Error() string { return string(e) }
func (oldError) RedisError()     {}

// TestFullBeforeRedis7: a script that runs out of memory says so behind other words.
func TestFullBeforeRedis7(t *testing.T) {
	const text = "ERR Error running script (call to f_0123): @user_script:7: @user_script: 7: -OOM command not allowed when used memory > 'maxmemory'."
	if err := classify("store", fmt.Errorf("sent: %w", oldError(text))); !errors.Is(err, ErrFull) {
		t.Errorf("%v, want ErrFull", err)
	}
	if err := classify("store", oldError("ERR Error running script")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
}
