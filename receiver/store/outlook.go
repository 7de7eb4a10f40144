package store

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// DefaultPatience is the Options.Patience of receivers.
const DefaultPatience = 5 * time.Second

// outlook is what this process knows of two indexes in each partition, so that a look
// at them costs Redis little when little is stored:
//
//   - Where something is, it knows when the first of it is due. It asks again then, and
//     otherwise once in Options.Patience, because other processes write, too.
//   - Where nothing is, EXISTS says whether that is still so: of all such partitions in
//     one command, and in a Cluster in one for each, once in Options.Patience.
//
// What this process has written itself it knows at once. It is safe for concurrent use.
type outlook struct {
	patience time.Duration // 0: nothing is believed

	mu       sync.Mutex
	due      [partitions]glimpse
	backlogs [partitions]glimpse
	asked    time.Time // when EXISTS was last asked
	refused  bool      // the user of Redis may not ask it
}

// glimpse is what was seen of an index in one partition.
type glimpse struct {
	seen    time.Time // zero: nothing is known
	first   int64     // the earliest score, 1 of backlogs; 0: the index is empty
	changes uint64    // by this process
}

// always is a time by which everything is due.
const always = math.MaxInt64

// noteDue says that this process has made something due at a time, in µs.
func (o *outlook) noteDue(p int, at int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := &o.due[p]
	g.changes++
	if g.first == 0 || at < g.first {
		g.first = at
	}
}

// noteHeld says that this process has put something into a backlog.
func (o *outlook) noteHeld(p int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.backlogs[p].changes++
	o.backlogs[p].first = 1
}

// forgetDue says that this process has changed what is due, and does not know how.
func (o *outlook) forgetDue(p int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.due[p].changes++
	o.due[p].seen = time.Time{}
}

// question is which partitions of an index to ask about, and how often this process
// had changed them by then.
type question struct {
	index   *[partitions]glimpse
	set     partitionSet
	changes [partitions]uint64
}

// question returns of which partitions more has to be known, to know what is due by a
// time, in µs.
func (o *outlook) question(index *[partitions]glimpse, by int64) question {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := question{index: index}
	for p := range index {
		g := &index[p]
		q.set[p] = o.patience == 0 || g.seen.IsZero() || g.first != 0 && (g.first <= by || time.Since(g.seen) >= o.patience)
		q.changes[p] = g.changes
	}
	return q
}

// answer keeps what was seen, unless this process has written since it asked.
func (o *outlook) answer(q *question, p int, first int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := &q.index[p]
	if g.seen, g.first = time.Now(), first; g.changes != q.changes[p] {
		g.seen = time.Time{}
	}
}

// firstDue is the earliest score of a partition as far as is known; 0: nothing is due.
func (o *outlook) firstDue(p int) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.due[p].first
}

// empty returns the names of the indexes that are taken for empty, by partition, if it
// is time to ask about them: when they were last asked about so long ago.
func (o *outlook) empty(ago time.Duration) (names [partitions][]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refused {
		ago = o.patience
	}
	if o.patience == 0 || time.Since(o.asked) < ago {
		return names
	}
	o.asked = time.Now()
	for p := range names {
		if g := &o.due[p]; !g.seen.IsZero() && g.first == 0 {
			names[p] = append(names[p], dueName[p])
		}
		if g := &o.backlogs[p]; !g.seen.IsZero() && g.first == 0 {
			names[p] = append(names[p], backlogsName[p])
		}
	}
	return names
}

// forget says that nothing is known any more of what was taken for empty.
func (o *outlook) forget(stale partitionSet, refused bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = o.refused || refused
	for p, is := range stale {
		if !is {
			continue
		}
		for _, g := range []*glimpse{&o.due[p], &o.backlogs[p]} {
			if g.first == 0 {
				g.seen = time.Time{}
			}
		}
	}
}

// lookAtEmpty finds out in which partitions something has been stored that were empty.
func (s *Store) lookAtEmpty(ctx context.Context) error {
	ago := time.Duration(0)
	if s.isCluster() {
		ago = s.outlook.patience
	}
	names := s.outlook.empty(ago)
	filled, err := s.exist(ctx, &names)
	s.outlook.forget(filled, redis.IsPermissionError(err))
	if redis.IsPermissionError(err) {
		return nil
	}
	return err
}

// exist returns the partitions in which one of the names may be there: in a Cluster
// those in which one is. A user of Redis that an older manual described may not ask:
// then it returns all with a name, beside the error.
func (s *Store) exist(ctx context.Context, names *[partitions][]string) (filled partitionSet, err error) {
	var asked partitionSet
	for p := range names {
		asked[p] = len(names[p]) > 0
	}
	if asked == (partitionSet{}) {
		return filled, nil
	}
	if !s.isCluster() {
		n, err := s.client.Exists(ctx, slices.Concat(names[:]...)...).Result()
		if n > 0 || redis.IsPermissionError(err) {
			return asked, err
		}
		return filled, err
	}
	var replies [partitions]*redis.IntCmd
	got, err := s.ask(ctx, asked, func(pipe redis.Pipeliner, p int) { replies[p] = pipe.Exists(ctx, names[p]...) })
	if redis.IsPermissionError(err) {
		return asked, err
	}
	for p := range replies {
		filled[p] = got[p] && replies[p].Val() > 0
	}
	return filled, err
}
