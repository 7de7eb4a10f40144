package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Memory is how full Redis is: of several servers, the fullest one.
type Memory struct {
	// Used counts towards Max, as Redis itself counts.
	Used int64
	// Max is maxmemory; 0: it is not set.
	Max int64
	// Servers is the number of servers that the events are spread over.
	Servers int64
}

// Ratio is the part of Max that is used; 0 without a Max.
func (m Memory) Ratio() float64 {
	if m.Max <= 0 {
		return 0
	}
	return float64(m.Used) / float64(m.Max)
}

// MostOfEndpoint is the most that may ever be stored of an endpoint; 0 without a Max.
func (m Memory) MostOfEndpoint() int64 { return m.part(endpointPart) }

// part is a part of the memory of all servers.
func (m Memory) part(part float64) int64 {
	return int64(part * float64(m.Max) * float64(max(m.Servers, 1)))
}

// Measures say what may be kept, so that Redis is never full because of one endpoint.
type Measures struct {
	// EndpointBytes bounds what is stored of an endpoint; 0: there is no bound.
	EndpointBytes int64
	// Journal: audit records are kept.
	Journal bool
	// JournalBytes bounds the audit records of all endpoints; 0: there is no bound.
	JournalBytes int64
	// Window is the part of its window for which an event is remembered from now on.
	Window float64
}

const (
	// endpointPart of maxmemory is the most for the events of one endpoint.
	endpointPart = 0.25
	// eventsUpTo is the ratio up to which backlogs grow. What is above is for what
	// endpoints have whose targets are well, and for marks.
	eventsUpTo = 0.75
	// leastPart of maxmemory an endpoint may always use. Endpoints that have less
	// stored are never refused for the sake of others.
	leastPart = 1.0 / 512
	// journalUpTo is the ratio up to which audit records are kept, and journalPart
	// of maxmemory what they may take.
	journalUpTo = 0.70
	journalPart = 0.10
	// From windowsFrom on, windows are shortened, at windowsTo to leastWindow. Backlogs
	// end below: only what is remembered fills Redis so far.
	windowsFrom = 0.80
	windowsTo   = 0.95
	leastWindow = 0.25
)

// Measures derives them. The bound of an endpoint is at most what is free for all: so
// the endpoints that have the most stored are refused first, and whatever they store,
// they leave room. Of n endpoints that take all they can get, each has as much as is
// left over.
func (m Memory) Measures() Measures {
	if m.Max <= 0 {
		return Measures{Journal: true, Window: 1}
	}
	excess := (m.Ratio() - windowsFrom) / (windowsTo - windowsFrom)
	return Measures{
		EndpointBytes: max(min(m.part(endpointPart), m.part(eventsUpTo-m.Ratio())), m.part(leastPart), 1),
		Journal:       m.Ratio() < journalUpTo,
		JournalBytes:  m.part(journalPart),
		Window:        1 - min(max(excess, 0), 1)*(1-leastWindow),
	}
}

// memory holds what was measured last.
type memory struct {
	mu       sync.Mutex
	last     Memory
	measures atomic.Pointer[Measures]
}

// current is what was measured; nothing is bounded before.
func (m *memory) current() Measures {
	if now := m.measures.Load(); now != nil {
		return *now
	}
	return Memory{}.Measures()
}

// note takes a reading. The lower one of two counts, since requests on their way make
// Redis fuller for a moment.
func (m *memory) note(now Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := now
	if m.last.Max == now.Max && m.last.Used < now.Used {
		counts.Used = m.last.Used
	}
	m.last = now
	measures := counts.Measures()
	m.measures.Store(&measures)
}

// shortened is the rest of a window, of which it leaves less when Redis has no room.
func (s *Store) shortened(rest, window time.Duration) time.Duration {
	if part := s.memory.current().Window; part < 1 {
		rest -= time.Duration((1 - part) * float64(window))
	}
	return rest
}

// Measures returns what was derived from the last call of Measure.
func (s *Store) Measures() Measures { return s.memory.current() }

// Measure asks how full Redis is and takes its Measures. In a Cluster it asks every
// master. The error is ErrMemoryUnknown, or ErrUnavailable; the last Measures stay.
func (s *Store) Measure(ctx context.Context) (Memory, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	now, err := s.readMemory(ctx)
	switch {
	case redis.IsPermissionError(err), redis.HasErrorPrefix(err, "ERR"): // not allowed, or no such command
		return Memory{}, fmt.Errorf("%w: %w", ErrMemoryUnknown, err)
	case err != nil:
		return Memory{}, classify("ask how full redis is", err)
	}
	s.memory.note(now)
	return now, nil
}

func (s *Store) readMemory(ctx context.Context) (Memory, error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		m, err := memoryOf(ctx, s.client)
		m.Servers = 1
		return m, err
	}
	var mu sync.Mutex
	var fullest Memory
	servers := int64(0)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, server *redis.Client) error {
		m, err := memoryOf(ctx, server)
		mu.Lock()
		defer mu.Unlock()
		servers++
		if fullest.Max == 0 || m.Ratio() > fullest.Ratio() {
			fullest = m
		}
		return err
	})
	fullest.Servers = servers
	return fullest, err
}

// memoryOf asks one server.
func memoryOf(ctx context.Context, server redis.Cmdable) (Memory, error) {
	text, err := server.Info(ctx, "memory").Result()
	if err != nil {
		return Memory{}, err
	}
	used, ok := infoNumber(text, "used_memory")
	most, known := infoNumber(text, "maxmemory")
	if !ok || !known {
		return Memory{}, errors.New("INFO does not say what redis uses")
	}
	buffers, _ := infoNumber(text, "mem_not_counted_for_evict")
	return Memory{Used: used - buffers, Max: most}, nil
}

func infoNumber(info, field string) (n int64, ok bool) {
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
