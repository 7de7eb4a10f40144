package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// DeadLetter is a delivery that was given up, as it was found.
type DeadLetter struct {
	// Event has neither Header, Credentials, Body nor BodySHA256.
	Event *Event
	// Name is as of EventName.
	Name string
	// Target is "", or a route's name.
	Target string
	// Failure says why it was given up.
	Failure Failure
	// DeadLetteredTime is to the millisecond.
	DeadLetteredTime time.Time

	ref     ref
	score   int64    // in the index of dead letters, ms: what Revive and Purge are fenced by
	targets []string // all deliveries of the event
}

func (l DeadLetter) member() string { return member(l.ref, l.Target) }

// Revive makes a dead letter pending again. It goes to the backlog of its target,
// and so gets a limited share beside new events, with all its attempts and an age
// that begins now. ErrFenced: it is not that dead letter any more.
func (s *Store) Revive(ctx context.Context, l DeadLetter) error {
	p, now, t := l.ref.partition(), s.Now(), Target{l.Event.Endpoint, l.Target}
	err := s.runFenced(ctx, "revive a dead letter", reviveScript,
		[]string{eventName(l.ref), deadName[p], deadOfName(p, t.Endpoint), attemptsName[p], heldName[p], backlogName(p, t), backlogsName[p], usageName[p]},
		l.member(), l.score, now.UnixMilli(), revival(now), t.name(), now.UnixMicro(), t.Endpoint)
	if err == nil {
		s.outlook.noteHeld(p)
	}
	return err
}

// revival is what is remembered of a delivery that is revived. The random text
// distinguishes this call from another one in the same millisecond.
func revival(now time.Time) string {
	return strings.TrimSuffix(Failure{Since: now}.encode(), "}") + `,"by":"` + rand.Text() + `"}`
}

// purgedLife is how long a Purge remembers what it did, in case its reply is lost:
// longer than any call is repeated.
const purgedLife = time.Minute

// Purge removes a dead letter for ever. With the last delivery of its event the
// event goes, and no mark stays: a copy of it that comes later is a new event.
// ErrFenced: it is not that dead letter any more, or somebody else removed it.
func (s *Store) Purge(ctx context.Context, l DeadLetter) error {
	return s.purge(ctx, l, l.Event.Endpoint)
}

func (s *Store) purge(ctx context.Context, l DeadLetter, endpoint string) error {
	args := []any{l.member(), l.score, rand.Text(), purgedLife.Milliseconds(), endpoint}
	for _, target := range l.targets {
		args = append(args, member(l.ref, target))
	}
	return s.runFenced(ctx, "purge a dead letter", purgeScript, append(deliveryNames(l.ref, endpoint), purgedName(l)), args...)
}

// ExpiredDeadLetters returns dead letters of any endpoint that were given up at or
// before a time, the oldest first, up to max.
func (s *Store) ExpiredDeadLetters(ctx context.Context, before time.Time, most int) ([]DeadLetter, error) {
	const doing = "look for old dead letters"
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	old, err := s.oldestDead(ctx, before, most)
	if err != nil {
		return nil, classify(doing, err)
	}
	var expired []DeadLetter
	for chunk := range slices.Chunk(old, max(most, 1)) {
		found, err := s.letters(ctx, "", chunk)
		if err != nil {
			return expired, classify(doing, err)
		}
		expired = append(expired, found.letters...)
		if len(expired) >= most {
			return expired[:most], nil
		}
	}
	return expired, nil
}

// oldestDead returns the oldest entries of each partition, the oldest first, as far
// as they may be among the oldest of all.
func (s *Store) oldestDead(ctx context.Context, before time.Time, most int) ([]deadEntry, error) {
	if most < 1 {
		return nil, nil
	}
	var replies [partitions]*redis.ZSliceCmd
	upTo := &redis.ZRangeBy{Min: "-inf", Max: fmt.Sprint(before.UnixMilli()), Count: int64(most)}
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for p := range replies {
			replies[p] = pipe.ZRangeByScoreWithScores(ctx, deadName[p], upTo)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []deadEntry
	for p, reply := range replies {
		all = append(all, deadEntries(p, reply.Val())...)
	}
	slices.SortStableFunc(all, func(a, b deadEntry) int { return cmp.Compare(a.score, b.score) })
	return all, nil
}

// deadEntry is a dead letter as the index has it.
type deadEntry struct {
	partition int
	member    string
	score     int64
}

// deadEntries reads what an index of a partition returned.
func deadEntries(p int, found []redis.Z) []deadEntry {
	entries := make([]deadEntry, 0, len(found))
	for _, z := range found {
		name, _ := z.Member.(string)
		entries = append(entries, deadEntry{p, name, int64(z.Score)})
	}
	return entries
}

// foundLetters are the dead letters that entries of the index stand for.
type foundLetters struct {
	letters    []DeadLetter
	unreadable int
}

// letters reads the events and failures of entries of an endpoint; "": of any.
// Entries of events that somebody deleted by hand are dropped from the index.
func (s *Store) letters(ctx context.Context, endpoint string, entries []deadEntry) (foundLetters, error) {
	var found foundLetters
	var letters []DeadLetter
	var ids []ref
	for _, e := range entries {
		if id, target, ok := splitMember(e.member); ok && id.partition() == e.partition {
			letters = append(letters, DeadLetter{Target: target, DeadLetteredTime: time.UnixMilli(e.score), ref: id, score: e.score})
			ids = append(ids, id)
		}
	}
	heads, err := s.heads(ctx, ids)
	if err != nil {
		return found, err
	}
	for i, h := range heads {
		l := &letters[i]
		switch {
		case h.record != nil:
			l.Event, l.Name, l.targets = h.record.event, h.ref.name(), h.record.targets
			found.letters = append(found.letters, *l)
		case h.state == statePending:
			found.unreadable++
		default:
			if err := s.purge(ctx, *l, endpoint); err != nil && !errors.Is(err, ErrFenced) {
				return found, err
			}
		}
	}
	return found, s.readFailures(ctx, found.letters)
}

// readFailures reads why letters were given up.
func (s *Store) readFailures(ctx context.Context, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	failures := make([]*redis.StringCmd, len(letters))
	err := failed(s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, l := range letters {
			failures[i] = pipe.HGet(ctx, attemptsName[l.ref.partition()], l.member())
		}
		return nil
	}))
	if err != nil {
		return err
	}
	for i, failure := range failures {
		letters[i].Failure = decodeFailure(failure.Val())
	}
	return nil
}
