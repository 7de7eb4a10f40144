package intake

import (
	"sync"
	"time"
)

// past is a deadline that ends what waits for it.
var past = time.Unix(1, 0)

// memory is what a receiver has for the bodies of requests, in four pools:
//
//   - arriving: small bodies on their way in. Anybody may have sent them. If it is full,
//     the sender that has taken the longest makes room for the newest. So whoever sends
//     a small body without delay gets it through, however many others hold connections.
//   - large: what is larger. Each endpoint gets a share of what is left, so that there is
//     always something left.
//   - storing: small bodies of authentic events until they are stored. Strangers have
//     nothing in it.
//   - waiting: bodies of authentic events that are with their target while the sender
//     waits. Slow targets take room from each other only.
//
// Reservations are the only accounting.
type memory struct {
	mu                                sync.Mutex
	arriving, large, storing, waiting pool
	readers                           queue[*reservation] // whose bodies are arriving
}

func newMemory() *memory {
	return &memory{
		arriving: pool{size: arrivingBytes},
		large:    pool{size: largeBytes, share: 2, of: map[string]int64{}},
		storing:  pool{size: storingBytes, share: 1, of: map[string]int64{}},
		waiting:  pool{size: waitingBytes, share: 1, of: map[string]int64{}},
	}
}

// used is how many bytes requests have.
func (m *memory) used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.arriving.used + m.large.used + m.storing.used + m.waiting.used
}

// pool is a number of bytes, and who has them.
type pool struct {
	size, used int64
	// share is how many times what is left an endpoint may have; 0: anything.
	share int64
	of    map[string]int64 // the bytes of each endpoint that has any; unused without a share
}

// take gives n bytes to an endpoint, or none.
func (p *pool) take(endpoint string, n int64) bool {
	left := p.size - p.used
	if n > left || p.share > 0 && p.of[endpoint]+n > p.share*left {
		return false
	}
	p.add(endpoint, n)
	return true
}

func (p *pool) add(endpoint string, n int64) {
	p.used += n
	if p.share == 0 {
		return
	}
	if p.of[endpoint] += n; p.of[endpoint] == 0 {
		delete(p.of, endpoint)
	}
}

// reservation is the memory that a request has. One without a memory, of a request
// without a route, has none and gets none.
type reservation struct {
	memory   *memory
	endpoint string
	// sync says that the sender will wait for the target.
	sync bool

	pool      *pool // nil: bytes is 0
	bytes     int64
	authentic bool
	evicted   bool // the memory went to somebody else
	// setDeadline says until when reading the body may wait.
	setDeadline func(time.Time)
	reader      node[*reservation]
}

// grow takes n more bytes. It returns false, and takes none, if there is no room for
// them.
func (r *reservation) grow(n int64) bool {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return !r.evicted && r.resize(r.bytes+n)
}

// shrink gives n bytes back.
func (r *reservation) shrink(n int64) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if !r.evicted {
		r.resize(r.bytes - n)
	}
}

// isLarge reports whether r has more than small bodies take.
func (r *reservation) isLarge() bool {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	return r.pool == &r.memory.large
}

// startReading lets other requests take the memory of this one while its body is
// small and not complete. The reading is interrupted then, by a deadline.
func (r *reservation) startReading(setDeadline func(time.Time)) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.setDeadline, r.reader.element = setDeadline, r
	r.memory.readers.push(&r.reader)
}

// keepReading gives the sender time until t, unless the reading was interrupted.
func (r *reservation) keepReading(t time.Time) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if !r.evicted {
		r.setDeadline(t)
	}
}

// stopReading returns false if the reading was interrupted.
func (r *reservation) stopReading() bool {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.reader.leave()
	return !r.evicted
}

// verified moves the memory out of the reach of strangers. It returns false if there is
// no room.
func (r *reservation) verified() bool {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.authentic = true
	return r.resize(r.bytes)
}

// release gives everything back.
func (r *reservation) release() {
	if r.memory == nil {
		return
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.reader.leave()
	r.free()
}

func (r *reservation) free() {
	if r.pool != nil {
		r.pool.add(r.endpoint, -r.bytes)
	}
	r.pool, r.bytes = nil, 0
}

// resize makes r so large, in the first of its pools that has room.
func (r *reservation) resize(bytes int64) bool {
	m := r.memory
	switch {
	case r.authentic && r.sync && bytes <= m.waiting.size:
		return r.move(&m.waiting, bytes)
	case bytes > smallBytes:
		return r.move(&m.large, bytes)
	case r.authentic:
		return r.move(&m.storing, bytes) || r.move(&m.large, bytes)
	}
	for !r.move(&m.arriving, bytes) {
		if !m.evict(r) {
			return false
		}
	}
	return true
}

// move takes so many bytes in p, in the place of those that r has.
func (r *reservation) move(p *pool, bytes int64) bool {
	more := bytes
	if p == r.pool {
		more -= r.bytes
	}
	if more > 0 && !p.take(r.endpoint, more) {
		return false
	}
	if p != r.pool {
		r.free()
	}
	r.pool, r.bytes = p, bytes
	if p != &r.memory.arriving {
		r.reader.leave()
	}
	return true
}

// evict takes the memory of the request whose body has been arriving for the longest
// time. It returns false if there is none that came before r.
func (m *memory) evict(r *reservation) bool {
	victim, ok := m.readers.oldest()
	if !ok || victim == r {
		return false
	}
	victim.reader.leave()
	victim.free()
	victim.evicted = true
	victim.setDeadline(past)
	return true
}
