package intake

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// strangers limits the rate of requests that turn out not to be authentic, of each
// source at each endpoint that has a rate limit. They don't count for that limit, which
// is the genuine sender's. A source of which something authentic came lately is not
// limited: it is the sender, or a proxy that the sender comes by, too.
//
// It is a table of buckets. Two sources may share one, but nobody can choose which.
type strangers struct {
	seed    maphash.Seed
	buckets [1 << 12]strangersBucket
}

type strangersBucket struct {
	full      atomic.Int64 // when it has all its tokens again, in Unix nanoseconds
	authentic atomic.Int64 // when something authentic came, in Unix seconds
}

const (
	// strangersFactor is how many times the rate limit of authentic requests that of
	// others is, and strangersLeast what it is at least, in a second.
	strangersFactor = 10
	strangersLeast  = 2000
	// lately is for how many seconds a source is known as one of the sender's.
	lately = 24 * 60 * 60
)

// admit reports whether a request may be one more that is not authentic.
func (s *strangers) admit(x *exchange) bool {
	if x.entry.Route.Limits.RateLimit == nil {
		return true
	}
	b := s.bucket(x)
	return b.full.Load()-x.meta.ReceivedAt.UnixNano() < int64(time.Second) || x.meta.ReceivedAt.Unix()-b.authentic.Load() < lately
}

// count takes a token for a request that was not authentic.
func (s *strangers) count(x *exchange) {
	limit := x.entry.Route.Limits.RateLimit
	if limit == nil {
		return
	}
	b, now := s.bucket(x), x.meta.ReceivedAt.UnixNano()
	if full := b.full.Load(); full-now < int64(time.Second) {
		// If others count at the same time, one of them is enough.
		b.full.CompareAndSwap(full, max(full, now)+int64(time.Second)/strangersRate(limit))
	}
}

// know notes that a request was authentic.
func (s *strangers) know(x *exchange) {
	if x.entry.Route.Limits.RateLimit != nil {
		s.bucket(x).authentic.Store(x.meta.ReceivedAt.Unix())
	}
}

func (s *strangers) bucket(x *exchange) *strangersBucket {
	key := struct {
		endpoint string
		network  netip.Prefix
	}{x.entry.Name, sourceNetwork(x.source)}
	return &s.buckets[maphash.Comparable(s.seed, key)%uint64(len(s.buckets))]
}

// sourceNetwork is whose requests count together: an IPv4 address, or the IPv6 network
// of one site.
func sourceNetwork(source netip.Addr) netip.Prefix {
	bits := source.BitLen()
	if source.Is6() {
		bits = 64
	}
	network, _ := source.Prefix(bits) // an unknown address has none
	return network
}

// strangersRate returns the requests a second, which is also the burst.
func strangersRate(limit *route.RateLimit) int64 {
	return max(strangersLeast, strangersFactor*int64(max(limit.PerSecond, limit.Burst)))
}
