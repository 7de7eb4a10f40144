package certificate

import "sync"

// slots bounds what is under way, in total and for each name.
type slots struct {
	all, each int

	mu    sync.Mutex
	sum   int
	taken map[string]int
}

func newSlots(all, each int) *slots { return &slots{all: all, each: each, taken: make(map[string]int)} }

// take takes a slot for who and reports whether there was one. The caller has to give it
// back.
func (s *slots) take(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sum >= s.all || s.taken[who] >= s.each {
		return false
	}
	s.sum++
	s.taken[who]++
	return true
}

func (s *slots) give(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum--
	if s.taken[who]--; s.taken[who] == 0 {
		delete(s.taken, who)
	}
}
