package route

import "strings"

// Table finds the entry of a request. It is immutable.
type Table struct {
	byPath        map[string]*Entry
	byEndpoint    map[string]*Entry
	clusterDomain string
	invalid       int
	listed        bool
	rotating      []*Entry // those with a key that ends
}

// newTable makes a Table of entries. If several claim one path, the one with the oldest
// endpoint gets it, then the one with the smaller name. The others can still be found by
// their endpoint, so that their stored events are delivered.
func newTable(entries map[string]*Entry, clusterDomain string) *Table {
	t := &Table{
		byPath:        make(map[string]*Entry, len(entries)),
		byEndpoint:    make(map[string]*Entry, len(entries)),
		clusterDomain: clusterDomain,
	}
	for _, e := range entries {
		t.byEndpoint[e.Name] = e
		if holder := t.byPath[e.Route.Path]; holder == nil || precedes(e, holder) {
			t.byPath[e.Route.Path] = e
		}
		if e.Invalid != nil {
			t.invalid++
		}
		if e.use != nil {
			t.rotating = append(t.rotating, e)
		}
	}
	return t
}

// precedes reports whether a gets the path that both claim. An entry that can't be
// decoded has no known age and never takes a path from another.
func precedes(a, b *Entry) bool {
	if (a.Invalid == nil) != (b.Invalid == nil) {
		return a.Invalid == nil
	}
	if created := a.Route.Endpoint.Created; !created.Equal(b.Route.Endpoint.Created) {
		return created.Before(b.Route.Endpoint.Created)
	}
	return a.Name < b.Name
}

// Lookup finds the entry of a request by its exact URL path, else by a Host
// inside the cluster (http://<name>-webhook.<namespace>/); nil if there is
// none. A Host stands for the endpoint itself, so no path may follow it.
func (t *Table) Lookup(path, host string) *Entry {
	if entry, ok := t.byPath[path]; ok {
		return entry
	}
	if strings.Trim(path, "/") != "" {
		return nil
	}
	endpoint, ok := endpointOfHost(host, t.clusterDomain)
	if !ok {
		return nil
	}
	return t.byEndpoint[endpoint]
}

// Endpoint finds the entry of an endpoint by "namespace/name"; nil if it has none.
func (t *Table) Endpoint(name string) *Entry { return t.byEndpoint[name] }

// Listed reports whether all routes have been loaded. Before, a missing entry means
// nothing.
func (t *Table) Listed() bool { return t.listed }

// Len returns the number of endpoints in the table, those that fail closed included.
func (t *Table) Len() int { return len(t.byEndpoint) }

// Invalid returns the number of endpoints that fail closed because their route
// can't be decoded or compiled.
func (t *Table) Invalid() int { return t.invalid }
