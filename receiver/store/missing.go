package store

import (
	"slices"
	"sync"
)

// maxMissing bounds the deliveries that are named until somebody asks.
const maxMissing = 20

// Missing are deliveries whose events are gone without having been delivered or purged:
// somebody deleted them, or Redis lost them.
type Missing struct {
	// Count is how many were found, and Deliveries names the first of them: the digits
	// of the event in Redis, a slash, and the route.
	Count      int64
	Deliveries []string
}

// missing collects what scripts found. It is safe for concurrent use.
type missing struct {
	mu    sync.Mutex
	found Missing
}

func (m *missing) note(members ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.found.Count += int64(len(members))
	room := max(maxMissing-len(m.found.Deliveries), 0)
	m.found.Deliveries = append(m.found.Deliveries, members[:min(len(members), room)]...)
}

// noteReply takes the list that a script returned.
func (m *missing) noteReply(reply any) {
	list, _ := reply.([]any)
	for _, entry := range list {
		if member, ok := entry.(string); ok {
			m.note(member)
		}
	}
}

// TakeMissing returns what this process has found missing since the last call. Each
// is found once, by one receiver: with it, its entry in the indexes is gone.
func (s *Store) TakeMissing() Missing {
	s.missing.mu.Lock()
	defer s.missing.mu.Unlock()
	found := s.missing.found
	s.missing.found = Missing{}
	found.Deliveries = slices.Clip(found.Deliveries)
	return found
}
