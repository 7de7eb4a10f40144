package keys

import (
	"bytes"
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"sallyport.dev/sallyport/receiver/verify"
)

const (
	// maxSources bounds the documents, and with them memory and traffic.
	maxSources = 1000
	// maxRequests is how many requests are made at a time.
	maxRequests = 8
)

// State is what is known of a document. The zero value: it is being fetched for
// the first time.
type State struct {
	// Keys are those of the last document that held any; nil: none did.
	Keys []byte
	// Problem says why the last attempt failed; empty: it didn't, or there was none.
	Problem string
}

// Pace says when a document is fetched again.
type Pace struct {
	// Min and Max bound what the sender asks for (Cache-Control: max-age); Default
	// is for senders that ask for nothing.
	Min, Default, Max time.Duration
	// FirstRetry is the wait after the first failure, LastRetry bounds the doubled
	// waits after further ones.
	FirstRetry, LastRetry time.Duration
}

// defaultPace notices new keys within minutes, which is how long senders publish
// a key before they sign with it, and does not press a sender that is in trouble.
var defaultPace = Pace{
	Min: 5 * time.Minute, Default: 10 * time.Minute, Max: 24 * time.Hour,
	FirstRetry: 10 * time.Second, LastRetry: 10 * time.Minute,
}

// Options are what a Cache is made of.
type Options struct {
	// Client makes the requests; nil: one that reaches no loopback, link-local or
	// metadata address. It is copied, and gets a bound of time and a rule against
	// redirects to other hosts.
	Client *http.Client
	// Pace is when to fetch again; the zero value: from 5 minutes to a day.
	Pace Pace
}

// Cache holds documents and fetches them in the background, while Start runs. It
// is safe for concurrent use.
type Cache struct {
	client *http.Client
	pace   Pace
	wake   chan struct{}

	mu       sync.Mutex
	entries  map[verify.FetchSource]*entry
	used     map[types.NamespacedName][]verify.FetchSource
	requests int
	changed  func([]types.NamespacedName)
}

// entry is a document.
type entry struct {
	State
	users    map[types.NamespacedName]struct{}
	due      time.Time
	failures int
	busy     bool // a request is under way
}

// New makes an empty cache.
func New(o Options) *Cache {
	if o.Pace == (Pace{}) {
		o.Pace = defaultPace
	}
	return &Cache{
		client: clientOf(o.Client), pace: o.Pace, wake: make(chan struct{}, 1),
		entries: map[verify.FetchSource]*entry{}, used: map[types.NamespacedName][]verify.FetchSource{}, changed: func([]types.NamespacedName) {},
	}
}

// OnChange sets what is called with the users of a document when there is
// something new to know of it. It must not block.
func (c *Cache) OnChange(do func(users []types.NamespacedName)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed = do
}

// Use says which documents a user needs now, all of them, and returns what is
// known of each. It starts fetching what is new. Without sources, the user is
// gone.
func (c *Cache) Use(user types.NamespacedName, sources ...verify.FetchSource) map[verify.FetchSource]State {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, source := range c.used[user] {
		if !slices.Contains(sources, source) {
			c.release(user, source)
		}
	}
	delete(c.used, user)
	if len(sources) == 0 {
		return nil
	}
	c.used[user] = slices.Clone(sources)
	states := make(map[verify.FetchSource]State, len(sources))
	for _, source := range sources {
		states[source] = c.take(user, source)
	}
	return states
}

// take makes a user one of those of a document.
func (c *Cache) take(user types.NamespacedName, source verify.FetchSource) State {
	e := c.entries[source]
	if e == nil {
		if len(c.entries) >= maxSources {
			return State{Problem: "there are too many other documents to fetch"}
		}
		e = &entry{users: map[types.NamespacedName]struct{}{}}
		c.entries[source] = e
		c.nudge()
	}
	e.users[user] = struct{}{}
	return e.State
}

// release forgets a document that was used by nobody else.
func (c *Cache) release(user types.NamespacedName, source verify.FetchSource) {
	if e := c.entries[source]; e != nil {
		if delete(e.users, user); len(e.users) == 0 {
			delete(c.entries, source)
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: who doesn't
// compile routes needs no keys.
func (c *Cache) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable. It fetches until the context ends, and
// returns when no request is under way any more.
func (c *Cache) Start(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		timer := time.NewTimer(c.startDue(ctx, &running))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-c.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// nudge lets Start look again.
func (c *Cache) nudge() {
	select {
	case c.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// startDue starts the requests that are due, as many as may run, and returns
// when the next one is. A request that ends nudges.
func (c *Cache) startDue(ctx context.Context, running *sync.WaitGroup) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.pace.Max
	for source, e := range c.entries {
		wait := time.Until(e.due)
		switch {
		case e.busy:
		case wait > 0:
			next = min(next, wait)
		case c.requests < maxRequests:
			e.busy = true
			c.requests++
			running.Go(func() { c.refresh(ctx, source, e) })
		}
	}
	return next
}

// refresh fetches a document, and tells its users if there is news.
func (c *Cache) refresh(ctx context.Context, source verify.FetchSource, e *entry) {
	keys, maxAge, err := c.fetch(ctx, source)
	if ctx.Err() != nil {
		return // the end of the manager is no failure of the sender
	}
	if users, tell := c.land(source, e, keys, maxAge, err); len(users) > 0 {
		tell(users)
	}
	c.nudge()
}

// land notes what came of a request. If there is news, it returns whom to tell,
// and how, which must be done without the lock.
func (c *Cache) land(source verify.FetchSource, e *entry, keys []byte, maxAge time.Duration, err error) ([]types.NamespacedName, func([]types.NamespacedName)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests--
	e.busy = false
	before := e.State
	if err != nil {
		e.failures++
		e.Problem = problemOf(err)
		e.due = time.Now().Add(c.pace.retry(e.failures))
	} else {
		e.failures = 0
		e.State = State{Keys: keys}
		e.due = time.Now().Add(c.pace.refresh(maxAge))
	}
	news := !bytes.Equal(before.Keys, e.Keys) || (e.Keys == nil && before.Problem != e.Problem)
	if !news || c.entries[source] != e {
		return nil, nil
	}
	return slices.Collect(maps.Keys(e.users)), c.changed
}

// refresh is how long a document is taken as it is. It is somewhat less than
// what the sender asked for, differently each time, so that many documents don't
// stay due at the same moment.
func (p Pace) refresh(maxAge time.Duration) time.Duration {
	if maxAge == unasked {
		maxAge = p.Default
	}
	return vary(min(max(maxAge, p.Min), p.Max))
}

// retry is the wait after a number of failures in a row.
func (p Pace) retry(failures int) time.Duration {
	wait := p.FirstRetry
	for range failures - 1 {
		if wait = min(2*wait, p.LastRetry); wait == p.LastRetry {
			break
		}
	}
	return vary(wait)
}

// vary takes up to a tenth off.
func vary(d time.Duration) time.Duration {
	return d - rand.N(d/10+1) //nolint:gosec // jitter needs no secrecy
}
