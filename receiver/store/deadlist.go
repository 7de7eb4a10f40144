package store

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/receiver/match"
)

// maxDeadPage is how many dead letters a page has at most, and how many are looked
// at for it.
const maxDeadPage = 500

// DeadQuery says which dead letters are meant.
type DeadQuery struct {
	// Endpoint is "namespace/name". It is needed.
	Endpoint string
	// GivenUpBefore: those that were given up at or before that millisecond; zero:
	// at any time.
	GivenUpBefore time.Time
	// Since and Until: of events that were received at Since or later, and before
	// Until; zero: at any time.
	Since, Until time.Time
	// Types are patterns of event types, as in routes; none: any type.
	Types []string
	// IDs are those of the events; nil: any. They are looked up one by one, so that
	// it costs nothing how many others there are.
	IDs []string
	// Limit is the size of a page, at most 500; 0: 500. A page is longer only if
	// more deliveries of one of the IDs are dead.
	Limit int
	// Continue is that of the page before; "": begin.
	Continue string
}

// DeadPage is a part of the dead letters that a query means.
type DeadPage struct {
	// Letters are in no order that means anything.
	Letters []DeadLetter
	// Unreadable counts those that this version can't read.
	Unreadable int
	// Continue leads to the next page; "": that was all. The page may be empty all the
	// same: a call looks at so many dead letters, and no more.
	Continue string
}

// DeadLetters finds dead letters of an endpoint. Those that are given up or revived
// while pages are read may be missed, or found nevertheless; all others are found
// once. The error is ErrContinue or ErrUnavailable, or is about the patterns.
func (s *Store) DeadLetters(ctx context.Context, q DeadQuery) (DeadPage, error) {
	const doing = "list dead letters"
	types, err := match.ParseTypes(q.Types)
	if err != nil {
		return DeadPage{}, fmt.Errorf("%s: %w", doing, err)
	}
	if q.Limit <= 0 || q.Limit > maxDeadPage {
		q.Limit = maxDeadPage
	}
	at, err := parsePosition(q.Continue)
	if err == nil && q.IDs == nil && at.partition >= partitions {
		err = ErrContinue
	}
	if err != nil {
		return DeadPage{}, fmt.Errorf("%s: %w", doing, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	search := deadSearch{DeadQuery: q, s: s, types: types}
	var page DeadPage
	if q.IDs != nil {
		page, err = search.byID(ctx, at)
	} else {
		page, err = search.scan(ctx, at)
	}
	return page, classify(doing, err)
}

// deadSearch is a query that is being answered.
type deadSearch struct {
	DeadQuery
	s     *Store
	types match.Types
}

// wants reports whether a letter is meant.
func (q *deadSearch) wants(l *DeadLetter) bool {
	received := l.Event.ReceivedAt
	return (q.GivenUpBefore.IsZero() || l.score <= q.GivenUpBefore.UnixMilli()) &&
		(q.Since.IsZero() || !received.Before(q.Since)) && (q.Until.IsZero() || received.Before(q.Until)) &&
		q.types.Match(l.Event.Type)
}

// filters reports whether letters may be found that are not meant.
func (q *deadSearch) filters() bool {
	return len(q.Types) > 0 || !q.Since.IsZero() || !q.Until.IsZero()
}

// maxScore is the score of the youngest letter that is meant.
func (q *deadSearch) maxScore() string {
	if q.GivenUpBefore.IsZero() {
		return "+inf"
	}
	return strconv.FormatInt(q.GivenUpBefore.UnixMilli(), 10)
}

// byID finds the dead deliveries of the events with the wanted ids.
func (q *deadSearch) byID(ctx context.Context, at position) (DeadPage, error) {
	var page DeadPage
	from := min(at.partition, len(q.IDs)) // a position among the ids
	next := min(from+q.Limit, len(q.IDs))
	places := map[ref]int{}
	var ids []ref
	for i, id := range q.IDs[from:next] {
		r := eventRef(q.Endpoint, id)
		if _, twice := places[r]; !twice {
			places[r] = from + i
			ids = append(ids, r)
		}
	}
	entries, err := q.entriesOf(ctx, ids)
	if err != nil {
		return page, err
	}
	found, err := q.s.letters(ctx, q.Endpoint, entries)
	if err != nil {
		return page, err
	}
	q.add(&page, found)
	cut := q.Limit
	for cut < len(page.Letters) && page.Letters[cut].ref == page.Letters[cut-1].ref {
		cut++ // the deliveries of an event stay together
	}
	if cut < len(page.Letters) {
		next = places[page.Letters[cut].ref]
		page.Letters = page.Letters[:cut]
	}
	if next < len(q.IDs) {
		page.Continue = position{partition: next}.String()
	}
	return page, nil
}

// entriesOf returns the entries of events that are dead letters, if they are stored.
func (q *deadSearch) entriesOf(ctx context.Context, ids []ref) ([]deadEntry, error) {
	heads, err := q.s.heads(ctx, ids)
	if err != nil {
		return nil, err
	}
	var entries []deadEntry
	for _, h := range heads {
		if h.record != nil {
			for _, target := range h.record.targets {
				entries = append(entries, deadEntry{partition: h.ref.partition(), member: member(h.ref, target)})
			}
		}
	}
	if len(entries) == 0 {
		return nil, nil
	}
	scores := make([]*redis.FloatCmd, len(entries))
	err = failed(q.s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, e := range entries {
			scores[i] = pipe.ZScore(ctx, deadName[e.partition], e.member)
		}
		return nil
	}))
	if err != nil {
		return nil, err
	}
	var dead []deadEntry
	for i, e := range entries {
		if scores[i].Err() == nil {
			e.score = int64(scores[i].Val())
			dead = append(dead, e)
		}
	}
	return dead, nil
}

// add takes over what is wanted of what was found.
func (q *deadSearch) add(page *DeadPage, found foundLetters) {
	page.Unreadable += found.unreadable
	for i := range found.letters {
		if q.wants(&found.letters[i]) {
			page.Letters = append(page.Letters, found.letters[i])
		}
	}
}

// scan goes through the index of the endpoint, from a position on.
func (q *deadSearch) scan(ctx context.Context, at position) (DeadPage, error) {
	most := q.Limit
	if q.filters() {
		most = maxDeadPage
	}
	entries, next, err := q.entries(ctx, at, most)
	if err != nil {
		return DeadPage{}, err
	}
	found, err := q.s.letters(ctx, q.Endpoint, entries)
	if err != nil {
		return DeadPage{}, err
	}
	var page DeadPage
	q.add(&page, found)
	if len(page.Letters) > q.Limit {
		page.Letters = page.Letters[:q.Limit]
		last := page.Letters[q.Limit-1]
		next = &position{last.ref.partition(), last.score, last.member()}
	}
	if next != nil {
		page.Continue = next.String()
	}
	return page, nil
}

// entries returns up to so many entries of the index after a position, and where
// the next are; nil: there are no more.
func (q *deadSearch) entries(ctx context.Context, at position, most int) ([]deadEntry, *position, error) {
	found, err := q.after(ctx, at, most)
	if err != nil {
		return nil, nil, err
	}
	next := at.partition + 1
	if len(found) < most && next < partitions {
		var more []deadEntry
		if more, next, err = q.following(ctx, next, most-len(found)); err != nil {
			return nil, nil, err
		}
		found = append(found, more...)
	}
	switch {
	case len(found) >= most:
		last := found[most-1]
		return found[:most], &position{last.partition, last.score, last.member}, nil
	case next < partitions:
		return found, &position{partition: next, score: math.MinInt64}, nil
	default:
		return found, nil, nil
	}
}

// after returns entries of the partition of a position that come after it: so many,
// or all. Entries of one millisecond are in the order of their names.
func (q *deadSearch) after(ctx context.Context, at position, most int) ([]deadEntry, error) {
	from := "-inf"
	if at.score != math.MinInt64 {
		from = strconv.FormatInt(at.score, 10)
	}
	var found []deadEntry
	for offset := 0; ; offset += most {
		reply, err := q.s.client.ZRangeByScoreWithScores(ctx, deadOfName(at.partition, q.Endpoint),
			&redis.ZRangeBy{Min: from, Max: q.maxScore(), Offset: int64(offset), Count: int64(most)}).Result()
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(deadEntries(at.partition, reply), func(e deadEntry) bool { return !at.before(e) })...)
		if len(found) >= most || len(reply) < most {
			return found, nil
		}
	}
}

// following returns entries of partitions from one on, up to so many or somewhat
// more, and the first partition that it did not look at.
func (q *deadSearch) following(ctx context.Context, from, most int) ([]deadEntry, int, error) {
	until, err := q.enough(ctx, from, most)
	if err != nil {
		return nil, 0, err
	}
	replies := make([]*redis.ZSliceCmd, until-from)
	_, err = q.s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range replies {
			replies[i] = pipe.ZRangeByScoreWithScores(ctx, deadOfName(from+i, q.Endpoint),
				&redis.ZRangeBy{Min: "-inf", Max: q.maxScore(), Count: int64(most)})
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	var found []deadEntry
	for i, reply := range replies {
		found = append(found, deadEntries(from+i, reply.Val())...)
	}
	return found, until, nil
}

// enough returns the partition up to which there are so many entries.
func (q *deadSearch) enough(ctx context.Context, from, most int) (until int, err error) {
	counts := make([]*redis.IntCmd, partitions-from)
	_, err = q.s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range counts {
			counts[i] = pipe.ZCard(ctx, deadOfName(from+i, q.Endpoint))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	until = from
	for sum := int64(0); until < partitions && sum < int64(most); until++ {
		sum += counts[until-from].Val()
	}
	return until, nil
}

// position is where a page ends: after an entry of the index of a partition. Among
// ids, partition counts those that were looked up.
type position struct {
	partition int
	score     int64 // math.MinInt64: before all
	member    string
}

// before reports whether an entry of its partition comes after the position.
func (at position) before(e deadEntry) bool {
	return cmp.Or(cmp.Compare(at.score, e.score), strings.Compare(at.member, e.member)) < 0
}

// String is what parsePosition reads.
func (at position) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %s", at.partition, at.score, at.member))
}

// parsePosition reads what a page ended with. The error is ErrContinue.
func parsePosition(text string) (position, error) {
	if text == "" {
		return position{score: math.MinInt64}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return position{}, ErrContinue
	}
	fields := strings.SplitN(string(b), " ", 3)
	if len(fields) != 3 {
		return position{}, ErrContinue
	}
	partition, err := strconv.Atoi(fields[0])
	if err != nil || partition < 0 {
		return position{}, ErrContinue
	}
	score, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return position{}, ErrContinue
	}
	return position{partition, score, fields[2]}, nil
}
