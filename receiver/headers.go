package receiver

import (
	"net/http"
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify/document"
)

// ownPrefix is of the headers that Sallyport adds for targets, in lower case.
const ownPrefix = "sallyport-"

// isOwn reports whether a sender that sets the header would speak in our name.
// Underscores count as hyphens, because CGI and what comes after it don't tell
// them apart.
func isOwn(name string) bool {
	return len(name) >= len(ownPrefix) && strings.EqualFold(strings.ReplaceAll(name[:len(ownPrefix)], "_", "-"), ownPrefix)
}

// storedHeader is what of the headers is stored and shown to every target. It is
// made once.
func (x *exchange) storedHeader() http.Header {
	if x.stored == nil {
		x.stored = storedHeader(x.r.Header, x.entry.CredentialHeaders)
		withoutQuotes(x.stored, document.PairsOf(x.r.URL.RawQuery, x.entry.CredentialQuery...))
	}
	return x.stored
}

// withoutQuotes takes out the headers in which a proxy repeats the URL, with the
// sender's secret in it: X-Envoy-Original-Path, X-Original-Url, Referer and others.
func withoutQuotes(header http.Header, secrets []string) {
	for name, values := range header {
		for _, pair := range secrets {
			if slices.ContainsFunc(values, func(value string) bool { return strings.Contains(value, pair) }) {
				delete(header, name)
			}
		}
	}
}

// storedHeader returns what of a request's headers is stored and shown to every
// target: all but our own and those that hold the sender's secret itself. The
// values are shared with header.
func storedHeader(header http.Header, credentials []string) http.Header {
	kept := make(http.Header, len(header))
	for name, values := range header {
		if !isOwn(name) {
			kept[name] = values
		}
	}
	for _, name := range credentials {
		delete(kept, http.CanonicalHeaderKey(name))
	}
	return kept
}

// storedQuery is what of the query is stored and shown to every target: all but
// the sender's secret itself.
func (x *exchange) storedQuery() string {
	return document.DropPairs(x.r.URL.RawQuery, x.entry.CredentialQuery...)
}

// storedURL is the public URL, with the "?" of a query that is empty: what signs the
// URL signs that, too.
func (x *exchange) storedURL() string {
	public := x.entry.Route.PublicURL
	if public != "" && x.r.URL.ForceQuery {
		public += "?"
	}
	return public
}

// credentials are what storedHeader and storedQuery leave out, if a target of the
// endpoint gets it; nil: none does, or there is nothing.
func (x *exchange) credentials() *store.Credentials {
	if !x.entry.Route.ForwardsCredentials() {
		return nil
	}
	kept := &store.Credentials{Header: http.Header{}}
	for _, name := range x.entry.CredentialHeaders {
		if values, ok := x.r.Header[name]; ok && !isOwn(name) {
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
