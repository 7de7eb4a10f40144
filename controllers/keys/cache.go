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

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/verify"
)

const (
	// maxSources bounds the documents, and with them memory and traffic.
	maxSources = 1000
	// maxRequests is how many requests are made at a time.
	maxRequests = 8
)

// State is what is known of a document. The zero value is that of a document that is
// being fetched for the first time.
type State struct {
	// Keys are those of the last document with keys; nil: there was none.
	Keys []byte
	// Problem says why the last attempt failed; empty: it did not fail, or there was none.
	Problem string
}

// Pace says when a document is fetched again.
type Pace struct {
	// Min and Max bound the age that the sender allows (Cache-Control: max-age); Default
	// is for senders that give none.
	Min, Default, Max time.Duration
	// FirstRetry is the wait after the first failure, LastRetry bounds the doubled
	// waits after further ones.
	FirstRetry, LastRetry time.Duration
}

// defaultPace finds new keys within minutes, because senders publish a key for so long
// before they sign with it. It backs off from a sender that is in trouble.
var defaultPace = Pace{
	Min: 5 * time.Minute, Default: 10 * time.Minute, Max: 24 * time.Hour,
	FirstRetry: 10 * time.Second, LastRetry: 10 * time.Minute,
}

// Options are what a Cache is made of.
type Options struct {
	// Transport makes the requests; nil: one that reaches no loopback, link-local or
	// metadata address.
	Transport http.RoundTripper
	// Pace is when to fetch again; the zero value: from 5 minutes to a day.
	Pace Pace
}

// Cache holds documents and fetches them in the background, while Start runs. It
// is safe for concurrent use.
type Cache struct {
	client *egress.Client
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
	client := egress.New(policy)
	if o.Transport != nil {
		client = egress.NewWithTransport(policy, o.Transport)
	}
	return &Cache{
		client: client, pace: o.Pace, wake: make(chan struct{}, 1),
		entries: map[verify.FetchSource]*entry{}, used: map[types.NamespacedName][]verify.FetchSource{}, changed: func([]types.NamespacedName) {},
	}
}

// OnChange sets the function that is called with the users of a document when its State
// changes. It must not block.
func (c *Cache) OnChange(do func(users []types.NamespacedName)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed = do
}

// Use sets the documents that a user needs and returns their States. It starts fetching
// those that are new. A user without sources is forgotten.
func (c *Cache) Use(user types.NamespacedName, sources ...verify.FetchSource) map[verify.FetchSource]State {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, source := range c.used[user] {
		if !slices.Contains(sources, source) {
			c.removeUser(user, source)
		}
	}
	delete(c.used, user)
	if len(sources) == 0 {
		return nil
	}
	c.used[user] = slices.Clone(sources)
	states := make(map[verify.FetchSource]State, len(sources))
	for _, source := range sources {
		states[source] = c.addUser(user, source)
	}
	return states
}

// addUser makes user one of the users of a document.
func (c *Cache) addUser(user types.NamespacedName, source verify.FetchSource) State {
	e := c.entries[source]
	if e == nil {
		if len(c.entries) >= maxSources {
			return State{Problem: "there are too many other documents to fetch"}
		}
		e = &entry{users: map[types.NamespacedName]struct{}{}}
		c.entries[source] = e
		c.wakeUp()
	}
	e.users[user] = struct{}{}
	return e.State
}

// removeUser forgets a document that has no other users.
func (c *Cache) removeUser(user types.NamespacedName, source verify.FetchSource) {
	if e := c.entries[source]; e != nil {
		if delete(e.users, user); len(e.users) == 0 {
			delete(c.entries, source)
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: only the leader compiles
// routes, for which it needs the keys.
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

// wakeUp makes Start look for due documents now.
func (c *Cache) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// startDue starts the requests that are due, up to maxRequests at a time, and returns
// the time until the next one is. A request that ends wakes Start up.
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

// refresh fetches a document, and calls OnChange's function if its State changed.
func (c *Cache) refresh(ctx context.Context, source verify.FetchSource, e *entry) {
	keys, maxAge, err := c.fetch(ctx, source)
	if ctx.Err() != nil {
		return // the end of the manager is no failure of the sender
	}
	if users, changed := c.update(source, e, keys, maxAge, err); len(users) > 0 {
		changed(users)
	}
	c.wakeUp()
}

// update sets the State that a request led to. If it changed, update returns the users,
// and the function to call with them once the lock is released.
func (c *Cache) update(source verify.FetchSource, e *entry, keys []byte, maxAge time.Duration, err error) ([]types.NamespacedName, func([]types.NamespacedName)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests--
	e.busy = false
	before := e.State
	if err != nil {
		e.failures++
		e.Problem = err.Error()
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

// refresh is the time until a document is fetched again. It is somewhat less than the
// sender allows, by a random part, so that many documents are not due at once.
func (p Pace) refresh(maxAge time.Duration) time.Duration {
	if maxAge == unspecified {
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
