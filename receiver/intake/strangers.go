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
// is the genuine sender's. This one is larger, since behind a proxy that is not trusted
// the genuine sender has the same source.
//
// It is a table of buckets. Two sources may share one, but nobody can choose which.
type strangers struct {
	seed    maphash.Seed
	buckets [1 << 13]atomic.Int64 // when each has all its tokens again, in Unix nanoseconds
}

const (
	// strangersFactor is how many times the rate limit of authentic requests that of
	// others is, and strangersLeast what it is at least, in a second.
	strangersFactor = 10
	strangersLeast  = 1000
)

// sourceNetwork is whose requests count together: an IPv4 address, or the network of a site.
func sourceNetwork(source netip.Addr) netip.Prefix {
	const site = 64
	if source.Is6() {
		network, _ := source.Prefix(site)
		return network
	}
	return netip.PrefixFrom(source, source.BitLen())
}

func (s *strangers) bucket(x *exchange) *atomic.Int64 {
	key := struct {
		endpoint string
		network  netip.Prefix
	}{x.entry.Name, sourceNetwork(x.source)}
	return &s.buckets[maphash.Comparable(s.seed, key)%uint64(len(s.buckets))]
}

// strangersRate returns the requests a second, which is also the burst.
func strangersRate(limit *route.RateLimit) int64 {
	return max(strangersLeast, strangersFactor*int64(max(limit.PerSecond, limit.Burst)))
}

// admit reports whether a request may be one more that is not authentic.
func (s *strangers) admit(x *exchange) bool {
	return x.entry.Route.Limits.RateLimit == nil || s.bucket(x).Load()-x.meta.ReceivedAt.UnixNano() < int64(time.Second)
}

// count takes a token for a request that was not authentic.
func (s *strangers) count(x *exchange) {
	limit := x.entry.Route.Limits.RateLimit
	if limit == nil || !s.admit(x) {
		return
	}
	bucket := s.bucket(x)
	full := bucket.Load()
	// If others count at the same time, one of them is enough.
	bucket.CompareAndSwap(full, max(full, x.meta.ReceivedAt.UnixNano())+int64(time.Second)/strangersRate(limit))
}
