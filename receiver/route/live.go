package route

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Live is the table in use. Readers never wait: each call of Table returns the
// current one, and a change swaps in another. Safe for concurrent use.
type Live struct {
	table         atomic.Pointer[Table]
	clusterDomain string

	mu      sync.Mutex        // one writer at a time
	entries map[string]*Entry // by the name of the Secret; replaced, never changed
	listed  bool              // see Table.Listed
}

// NewLive returns a Live with an empty table. clusterDomain is the DNS domain
// of the cluster, for example "cluster.local".
func NewLive(clusterDomain string) *Live {
	l := &Live{clusterDomain: clusterDomain}
	l.swap(nil)
	return l
}

// Table returns the current table.
func (l *Live) Table() *Table { return l.table.Load() }

// Replace makes objects the whole content of the table. It reports whether that changed
// any route. The first list makes a new table even if it is empty.
func (l *Live) Replace(objects []Object) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[string]*Entry, len(objects))
	changed := false
	for _, o := range objects {
		changed = l.put(next, o) || changed
	}
	changed = changed || len(next) != len(l.entries)
	if changed || !l.listed {
		l.listed = true
		l.swap(next)
	}
	return changed
}

// Apply sets the given objects by their names; a nil object removes its name. It decodes
// and compiles only objects that differ. It reports whether anything changed; if not, the
// table stays the same.
func (l *Live) Apply(changes map[string]*Object) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := maps.Clone(l.entries)
	if next == nil {
		next = make(map[string]*Entry, len(changes))
	}
	changed := false
	for name, o := range changes {
		if o == nil {
			_, had := next[name]
			delete(next, name)
			changed = changed || had
			continue
		}
		changed = l.put(next, *o) || changed
	}
	if changed {
		l.swap(next)
	}
	return changed
}

// put sets the entry of o in next and reports whether it differs from the current one.
// An equal object keeps its entry.
func (l *Live) put(next map[string]*Entry, o Object) (changed bool) {
	current := l.entries[o.Name]
	if current != nil && current.digest == o.digest() {
		next[o.Name] = current
		return false
	}
	entry, ok := newEntry(o, current)
	if !ok {
		return false
	}
	next[o.Name] = entry
	return true
}

func (l *Live) swap(next map[string]*Entry) {
	l.entries = next
	table := newTable(next, l.clusterDomain)
	table.listed = l.listed
	l.table.Store(table)
}

// Route returns the route of an endpoint, "namespace/name". ok is false if the
// endpoint has none, or one that can't be read.
func (l *Live) Route(endpoint string) (r Route, ok bool) {
	entry := l.Table().Endpoint(endpoint)
	if entry == nil || entry.Invalid != nil {
		return Route{}, false
	}
	return entry.Route, true
}

// Signer returns the entry of an endpoint. Without an entry, it signs nothing.
func (l *Live) Signer(endpoint string) Signer { return l.Table().Endpoint(endpoint) }
