package store

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// DefaultLookEvery is the Options.LookEvery of receivers.
const DefaultLookEvery = 5 * time.Second

// outlook is what this process knows of two indexes in each partition, so that a look
// at them costs Redis little when little is stored:
//
//   - Where something is, it knows when the first of it is due. It asks again then, and
//     otherwise once in Options.LookEvery, because other processes write, too.
//   - Where nothing is, EXISTS says whether that is still so: of all such partitions in
//     one command. In a Cluster it takes one for each, once in Options.LookEvery.
//
// What this process has written itself it knows at once. It is safe for concurrent use.
type outlook struct {
	every time.Duration // 0: nothing is believed

	mu            sync.Mutex
	due, backlogs index
	refused       bool // the user of Redis may not ask EXISTS
}

// index is what is known of one index.
type index struct {
	names *[partitions]string
	seen  [partitions]glimpse
	asked time.Time // when it was last asked which partitions are still empty
}

// glimpse is what was seen of one partition.
type glimpse struct {
	at      time.Time // zero: nothing is known
	first   int64     // the earliest score, 1 of backlogs; 0: it is empty
	changes uint64    // by this process
}

// always is a time by which everything is due.
const always = math.MaxInt64

func newOutlook(every time.Duration) *outlook {
	return &outlook{every: every, due: index{names: &dueName}, backlogs: index{names: &backlogsName}}
}

// noteDue says that this process has made something due at a time, in µs.
func (o *outlook) noteDue(p int, at int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := &o.due.seen[p]
	g.changes++
	if g.first == 0 || at < g.first {
		g.first = at
	}
}

// noteHeld says that this process has put something into a backlog.
func (o *outlook) noteHeld(p int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.backlogs.seen[p].changes++
	o.backlogs.seen[p].first = 1
}

// forgetDue says that this process has changed what is due, and does not know how.
func (o *outlook) forgetDue(p int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.due.seen[p].changes++
	o.due.seen[p].at = time.Time{}
}

// question is which partitions of an index to ask about, and how often this process
// had changed them by then.
type question struct {
	index   *index
	set     partitionSet
	changes [partitions]uint64
}

// question returns of which partitions more has to be known, to know what is due by a
// time, in µs.
func (o *outlook) question(i *index, by int64) question {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := question{index: i}
	for p := range i.seen {
		g := &i.seen[p]
		q.set[p] = o.every == 0 || g.at.IsZero() || g.first != 0 && (g.first <= by || time.Since(g.at) >= o.every)
		q.changes[p] = g.changes
	}
	return q
}

// answer keeps what was seen, unless this process has written since it asked.
func (o *outlook) answer(q *question, p int, first int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := &q.index.seen[p]
	if g.at, g.first = time.Now(), first; g.changes != q.changes[p] {
		g.at = time.Time{}
	}
}

// firstDue is the earliest score of a partition as far as is known; 0: nothing is due.
func (o *outlook) firstDue(p int) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.due.seen[p].first
}

// empty returns the names of what is taken for empty, by partition.
func (o *outlook) empty(indexes []*index) (names [partitions][]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.every == 0 {
		return names
	}
	for _, i := range indexes {
		for p := range names {
			if g := &i.seen[p]; !g.at.IsZero() && g.first == 0 {
				names[p] = append(names[p], i.names[p])
			}
		}
	}
	return names
}

// takeTurn reports whether it is time to ask about each name that is taken for empty.
// If so, it is the caller who asks.
func (o *outlook) takeTurn(indexes []*index) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range indexes {
		if time.Since(i.asked) < o.every {
			return false
		}
	}
	for _, i := range indexes {
		i.asked = time.Now()
	}
	return true
}

// forget says that nothing is known any more of what was taken for empty in some
// partitions.
func (o *outlook) forget(indexes []*index, filled partitionSet) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range indexes {
		for p, is := range filled {
			if is && i.seen[p].first == 0 {
				i.seen[p].at = time.Time{}
			}
		}
	}
}

// lookAtEmpty finds out whether something has been stored in partitions that were empty.
func (s *Store) lookAtEmpty(ctx context.Context, i *index) error {
	indexes := []*index{i}
	if s.isCluster() { // where one command can be about both
		indexes = []*index{&s.outlook.due, &s.outlook.backlogs}
	}
	names := s.outlook.empty(indexes)
	if some, err := s.exists(ctx, &names); err != nil || !some || !s.outlook.takeTurn(indexes) {
		return err
	}
	filled, err := s.filled(ctx, &names)
	s.outlook.forget(indexes, filled)
	return err
}

// exists reports whether any of the names may be there. In a Cluster no command could
// tell.
func (s *Store) exists(ctx context.Context, names *[partitions][]string) (bool, error) {
	all := slices.Concat(names[:]...)
	if len(all) == 0 || s.isCluster() || s.mayNotAsk(nil) {
		return len(all) > 0, nil
	}
	n, err := s.client.Exists(ctx, all...).Result()
	if s.mayNotAsk(err) {
		return true, nil
	}
	return n > 0, err
}

// filled returns the partitions in which one of the names is there, or may be if Redis
// does not say.
func (s *Store) filled(ctx context.Context, names *[partitions][]string) (filled partitionSet, err error) {
	var asked partitionSet
	for p := range names {
		asked[p] = len(names[p]) > 0
	}
	if s.mayNotAsk(nil) {
		return asked, nil
	}
	var replies [partitions]*redis.IntCmd
	got, err := s.ask(ctx, asked, func(pipe redis.Pipeliner, p int) { replies[p] = pipe.Exists(ctx, names[p]...) })
	if s.mayNotAsk(err) {
		return asked, nil
	}
	for p := range replies {
		filled[p] = got[p] && replies[p].Val() > 0
	}
	return filled, err
}

// mayNotAsk reports whether Redis has ever answered that its user may not ask EXISTS:
// manuals of earlier versions did not list it.
func (s *Store) mayNotAsk(err error) bool {
	s.outlook.mu.Lock()
	defer s.outlook.mu.Unlock()
	s.outlook.refused = s.outlook.refused || redis.IsPermissionError(err)
	return s.outlook.refused
}
