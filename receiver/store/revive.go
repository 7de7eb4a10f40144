package store

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// reviveStored revives what was given up of a stored event, because its sender has sent
// it again, and reports whether there was something. targets are the routes that take the
// event now. Dead letters of others, which were renamed or removed since, go to those of
// targets that the event is new to.
func (s *Store) reviveStored(ctx context.Context, id ref, targets []string) (bool, error) {
	if len(targets) == 0 {
		targets = []string{""}
	}
	heads, err := s.heads(ctx, []ref{id})
	if err != nil || heads[0].record == nil {
		return false, err
	}
	r := heads[0].record
	letters, pending, err := s.deadOf(ctx, id, r)
	if err != nil || len(letters) == 0 {
		return false, err
	}
	revived := false
	for _, l := range letters {
		if !slices.Contains(targets, l.Target) {
			continue
		}
		switch err := s.Revive(ctx, l); {
		case err == nil:
			revived = true
		case !errors.Is(err, ErrFenced): // or somebody else was faster
			return revived, err
		}
	}
	unknown := slices.DeleteFunc(slices.Clone(targets), func(t string) bool { return slices.Contains(r.targets, t) })
	if revived || pending || len(unknown) == 0 {
		return revived, nil
	}
	return s.retarget(ctx, id, r.targets, unknown)
}

// deadOf returns the dead letters of an event, and whether another delivery of it is
// pending.
func (s *Store) deadOf(ctx context.Context, id ref, r *record) (letters []DeadLetter, pending bool, err error) {
	p := id.partition()
	dead, due, held := make([]*redis.FloatCmd, len(r.targets)), make([]*redis.FloatCmd, len(r.targets)), make([]*redis.FloatCmd, len(r.targets))
	err = failed(s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, target := range r.targets {
			m := member(id, target)
			dead[i], due[i], held[i] = pipe.ZScore(ctx, deadName[p], m), pipe.ZScore(ctx, dueName[p], m), pipe.ZScore(ctx, heldName[p], m)
		}
		return nil
	}))
	for i, target := range r.targets {
		switch {
		case dead[i].Err() == nil:
			letters = append(letters, DeadLetter{Event: r.event, Target: target, ref: id, score: int64(dead[i].Val()), targets: r.targets})
		case due[i].Err() == nil || held[i].Err() == nil:
			pending = true
		}
	}
	return letters, pending, err
}

// retarget makes the dead letters of an event pending under new names, and reports
// whether it did.
func (s *Store) retarget(ctx context.Context, id ref, olds, news []string) (bool, error) {
	value, err := s.large.Get(ctx, eventName(id)).Bytes()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := decodeRecord(value)
	if err != nil {
		return false, nil //nolint:nilerr // delivered meanwhile, or of a newer version
	}
	r.targets = news
	record := r.encode()
	size, now := len(r.event.Body), s.Now()
	args := []any{record[:len(record)-size], len(value) - size, now.UnixMicro(), revival(now), r.endpoint, len(olds)}
	for _, target := range slices.Concat(olds, news) {
		args = append(args, member(id, target))
	}
	err = s.runFenced(ctx, "revive dead letters of routes that were renamed", retargetScript, deliveryNames(id, r.endpoint), args...)
	switch {
	case errors.Is(err, ErrFenced):
		return false, nil
	case err != nil:
		return false, err
	}
	s.outlook.noteDue(id.partition(), now.UnixMicro())
	return true, nil
}
