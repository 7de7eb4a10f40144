package intake

import (
	"net/http"
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify/document"
)

// storedHeader returns the headers that are stored and sent to every target. They
// are computed once.
func (x *exchange) storedHeader() http.Header {
	if x.stored == nil {
		x.stored = storedHeader(x.r.Header, x.entry.CredentialHeaders)
		withoutQuotes(x.stored, document.PairsOf(x.r.URL.RawQuery, x.entry.CredentialQuery...))
	}
	return x.stored
}

// withoutQuotes removes headers in which a proxy repeats the URL with the sender's
// secret: X-Envoy-Original-Path, X-Original-Url, Referer and others.
func withoutQuotes(header http.Header, secrets []string) {
	for name, values := range header {
		for _, pair := range secrets {
			if slices.ContainsFunc(values, func(value string) bool { return strings.Contains(value, pair) }) {
				delete(header, name)
			}
		}
	}
}

// storedHeader returns all headers but our own and those that hold the sender's secret
// itself. The values are shared with header.
func storedHeader(header http.Header, credentials []string) http.Header {
	kept := make(http.Header, len(header))
	for name, values := range header {
		if !deliver.IsOwn(name) {
			kept[name] = values
		}
	}
	for _, name := range credentials {
		delete(kept, http.CanonicalHeaderKey(name))
	}
	return kept
}

// storedQuery is the query without the sender's secret itself: it is stored and sent
// to every target.
func (x *exchange) storedQuery() string {
	return document.DropPairs(x.r.URL.RawQuery, x.entry.CredentialQuery...)
}

// storedURL is the public URL, with the "?" of an empty query: a signature of the URL
// covers that, too.
func (x *exchange) storedURL() string {
	public := x.entry.Route.PublicURL
	if public != "" && x.r.URL.ForceQuery {
		public += "?"
	}
	return public
}

// credentials are what storedHeader and storedQuery leave out; nil if there is nothing,
// or if no target of the endpoint wants it.
func (x *exchange) credentials() *store.Credentials {
	if !x.entry.Route.ForwardsCredentials() {
		return nil
	}
	kept := &store.Credentials{Header: http.Header{}}
	for _, name := range x.entry.CredentialHeaders {
		if values, ok := x.r.Header[name]; ok && !deliver.IsOwn(name) {
			kept.Header[name] = values
		}
	}
	if query := x.r.URL.RawQuery; query != x.storedQuery() {
		kept.Query = query
	}
	if len(kept.Header) == 0 && kept.Query == "" {
		return nil
	}
	return kept
}
