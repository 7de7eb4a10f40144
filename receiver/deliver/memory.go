package deliver

import (
	"hash/maphash"
	"maps"
)

// maxRemembered bounds the events that a memory holds.
const maxRemembered = 1024

// memory is a set of event ids, by their hashes, since ids can be long. It forgets all
// when it would hold too many. The zero value is empty.
type memory map[uint64]struct{}

var memorySeed = maphash.MakeSeed()

func hashOf(event string) uint64 { return maphash.String(memorySeed, event) }

func (m memory) has(event string) bool {
	if len(m) == 0 {
		return false
	}
	_, ok := m[hashOf(event)]
	return ok
}

func (m *memory) add(event string) {
	if *m == nil || len(*m) >= maxRemembered {
		*m = memory{}
	}
	(*m)[hashOf(event)] = struct{}{}
}

func (m memory) remove(event string) {
	if len(m) > 0 {
		delete(m, hashOf(event))
	}
}

// with is m and more together. It may be either of the two, changed.
func (m memory) with(more memory) memory {
	if len(m) == 0 || len(m)+len(more) > maxRemembered {
		return more
	}
	maps.Copy(m, more)
	return m
}
