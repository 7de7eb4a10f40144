package certificate

import "time"

// item is what is known of a URL, until it ends.
type item struct {
	document []byte
	err      error
	fresh    time.Time // until then it needs not be fetched anew
	ends     time.Time
	used     uint64 // by the shelf's count

	refreshing bool // it is being fetched anew
}

// shelf holds a bounded number of items; the one that was not used for longest
// makes room. It is so small that looking at all of it costs nothing beside the
// request that comes before.
type shelf struct {
	items map[string]*item
	room  int
	uses  uint64
}

func newShelf(room int) shelf { return shelf{items: make(map[string]*item), room: room} }

// find returns the item at address; nil if there is none at now.
func (s *shelf) find(address string, now time.Time) *item {
	found := s.items[address]
	if found == nil || !now.Before(found.ends) {
		return nil
	}
	s.uses++
	found.used = s.uses
	return found
}

// put sets the item at address. What has ended goes first when room is needed.
func (s *shelf) put(address string, added *item, now time.Time) {
	delete(s.items, address)
	if len(s.items) >= s.room {
		s.makeRoom(now)
	}
	s.uses++
	added.used = s.uses
	s.items[address] = added
}

func (s *shelf) makeRoom(now time.Time) {
	oldest := ""
	for address, held := range s.items {
		if !now.Before(held.ends) {
			delete(s.items, address)
			continue
		}
		if oldest == "" || held.used < s.items[oldest].used {
			oldest = address
		}
	}
	if len(s.items) >= s.room {
		delete(s.items, oldest)
	}
}
