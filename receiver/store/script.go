package store

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name that Redis gives a script, not a secret
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var sources embed.FS

// script is one state change, run by Redis as a whole or not at all.
type script struct{ source, sha string }

// The scripts; each file says what it expects and returns. prelude.lua comes before
// each.
var (
	acceptScript     = loadScript("accept")
	beginScript      = loadScript("begin")
	finishScript     = loadScript("finish")
	forgetScript     = loadScript("forget")
	forgetContent    = loadScript("forgetcontent")
	confirmScript    = loadScript("confirm")
	markScript       = loadScript("mark")
	claimScript      = loadScript("claim")
	moveScript       = loadScript("move")
	holdScript       = loadScript("hold")
	refillScript     = loadScript("refill")
	retryScript      = loadScript("retry")
	deadLetterScript = loadScript("deadletter")
	deliveredScript  = loadScript("delivered")
	reviveScript     = loadScript("revive")
	retargetScript   = loadScript("retarget")
	purgeScript      = loadScript("purge")
	recountScript    = loadScript("recount")
)

func loadScript(name string) script {
	source := slices.Concat(readSource("prelude"), readSource(name))
	sum := sha1.Sum(source) //nolint:gosec // see the import
	return script{source: string(source), sha: hex.EncodeToString(sum[:])}
}

func readSource(name string) []byte {
	source, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // the file is embedded: a build without it does not start
	}
	return source
}

// run queues sc with the scripts of concurrent callers and waits for its reply,
// at most until ctx is done; a large one goes by itself. A Redis that does not know the script, because it
// was restarted, gets it once; nothing has been written then.
func (s *Store) run(ctx context.Context, sc script, keys []string, args ...any) (any, error) {
	submit := s.submit
	if sizeOf(args) > largeBytes {
		submit = s.submitLarge
	}
	reply, err := submit(ctx, sc.command(ctx, "evalsha", sc.sha, keys, args), keys[0])
	if isNoScript(err) {
		return submit(ctx, sc.command(ctx, "eval", sc.source, keys, args), keys[0])
	}
	return reply, err
}

func isNoScript(err error) bool {
	return errors.Is(err, redis.ErrNoScript) || redis.HasErrorPrefix(err, "NOSCRIPT")
}

// runConfirmed is run for what is promised to a sender: if Options.Wait asks for
// it, the reply comes when enough servers have what is stored.
func (s *Store) runConfirmed(ctx context.Context, sc script, keys []string, args ...any) (any, error) {
	switch {
	case s.confirmer == nil:
		return s.run(ctx, sc, keys, args...)
	case sizeOf(args) > largeBytes:
		return s.largeConfirmer.run(ctx, sc, keys, args)
	default:
		return s.confirmer.run(ctx, sc, keys, args)
	}
}

func (script) command(ctx context.Context, name, body string, keys []string, args []any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, name, body, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return redis.NewCmd(ctx, append(all, args...)...)
}

// runFenced runs a transition of the delivery that is its first argument. It returns 0
// when the caller's lease is lost, and 2 when there was an entry of it but no event.
func (s *Store) runFenced(ctx context.Context, doing string, sc script, keys []string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	reply, err := s.run(ctx, sc, keys, args...)
	if err != nil {
		return classify(doing, err)
	}
	switch reply {
	case int64(1):
		return nil
	case int64(0):
		return fmt.Errorf("%s: %w", doing, ErrFenced)
	case int64(2):
		s.missing.note(fmt.Sprint(args[0]))
		return fmt.Errorf("%s: %w", doing, ErrFenced)
	default:
		return fmt.Errorf("%s: %w: unexpected reply %v", doing, ErrUnavailable, reply)
	}
}
