package route

import (
	"slices"
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/receiver/verify"
)

// keyUse records which keys of an endpoint are used during one rotation. It is safe for
// concurrent use.
type keyUse struct {
	previousEnds               int64 // see KeyUse
	currentFirst, previousLast atomic.Int64
}

// newKeyUse returns nil if none of the keys ends.
func newKeyUse(keys []Key) *keyUse {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.NotAfter != nil })
	if i < 0 {
		return nil
	}
	return &keyUse{previousEnds: keys[i].NotAfter.Unix()}
}

// Used records the key that verified a request at now. It does nothing while no secret
// is being changed.
func (e *Entry) Used(verdict verify.Verdict, now time.Time) {
	if e.use == nil {
		return
	}
	index := e.keyIndex(verdict.Key, now)
	switch {
	case index < 0:
	case e.Route.Keys[index].NotAfter != nil:
		e.use.notePrevious(now)
	case index == 0:
		e.use.currentFirst.CompareAndSwap(0, now.Unix())
	}
}

// keyIndex returns the index of the n-th key that is valid at now; -1 if there is none,
// as for keys that the sender publishes, which have a negative n.
func (e *Entry) keyIndex(n int, now time.Time) int {
	for i := range e.Route.Keys {
		if !e.Route.Keys[i].live(now) {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}

// notePrevious records the minute, so that most calls only read.
func (u *keyUse) notePrevious(now time.Time) {
	minute := now.Truncate(time.Minute).Unix()
	for {
		seen := u.previousLast.Load()
		if seen >= minute || u.previousLast.CompareAndSwap(seen, minute) {
			return
		}
	}
}

// KeyUse returns which keys were used of the endpoints whose secret is being changed at
// now, by "namespace/name"; nil if none was.
func (t *Table) KeyUse(now time.Time) map[string]KeyUse {
	var all map[string]KeyUse
	for _, e := range t.rotating {
		seen := KeyUse{PreviousEnds: e.use.previousEnds, CurrentFirst: e.use.currentFirst.Load(), PreviousLast: e.use.previousLast.Load()}
		if now.Unix() >= seen.PreviousEnds || (seen.CurrentFirst == 0 && seen.PreviousLast == 0) {
			continue
		}
		if all == nil {
			all = make(map[string]KeyUse, len(t.rotating))
		}
		all[e.Name] = seen
	}
	return all
}
