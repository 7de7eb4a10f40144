package verify

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxNamedURL bounds a URL that a request names, in bytes.
const maxNamedURL = 1024

// URLPattern says which URLs are allowed, part by part. A stranger can make the
// receiver fetch any URL that it allows, so it leaves nothing open: no user, no port,
// no fragment and no other spelling of the path. The nil pointer allows nothing.
type URLPattern struct {
	hosts, paths *regexp.Regexp
	queries      *regexp.Regexp // nil: there must be no query
	plain        bool           // http is allowed, too
}

// Allows reports whether text is an allowed URL. It is compared as it is written:
// senders write theirs in one way.
func (p *URLPattern) Allows(text string) bool {
	_, ok := p.match(text)
	return ok
}

// match returns the host of an allowed URL.
func (p *URLPattern) match(text string) (host string, ok bool) {
	if p == nil || len(text) > maxNamedURL || strings.Contains(text, "#") || !clean(text, maxNamedURL) {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || !p.scheme(u) {
		return "", false
	}
	return u.Hostname(), p.hosts.MatchString(u.Hostname()) && oneSpelling(u) && p.paths.MatchString(u.Path) && p.query(u)
}

// scheme reports whether scheme and port are right, which the host may be followed by.
func (p *URLPattern) scheme(u *url.URL) bool {
	port := ":443"
	if u.Scheme == "http" && p.plain {
		port = ":80"
	} else if u.Scheme != "https" {
		return false
	}
	return strings.TrimSuffix(u.Host, port) == u.Hostname()
}

// oneSpelling reports whether the path says what it means: neither the sender's
// server nor anything before it can take it for another one.
func oneSpelling(u *url.URL) bool {
	path := u.EscapedPath()
	segments := strings.Split(path, "/")
	return path == u.Path && !strings.ContainsAny(path, `%\;`) && !strings.Contains(path, "//") &&
		!slices.Contains(segments, ".") && !slices.Contains(segments, "..")
}

func (p *URLPattern) query(u *url.URL) bool {
	if p.queries == nil {
		return u.RawQuery == "" && !u.ForceQuery
	}
	return p.queries.MatchString(u.RawQuery)
}

// String is the same for equal patterns, and for no others.
func (p *URLPattern) String() string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%q %q %q %t", p.hosts, p.paths, p.queries, p.plain)
}

// What a part of a URL could be. A pattern that matches one of these says nothing.
var (
	anyHosts   = []string{"", "any.invalid"}
	anyPaths   = []string{"", "/Any~path", "/Any~path/at,all.invalid"}
	anyQueries = []string{"any~query=of,all"}
)

// urls compiles the patterns of a URL, whose fields are named beside field. Query
// may be empty.
func (c *compiler) urls(field, host, path, query string) *URLPattern {
	p := &URLPattern{}
	var err error
	p.hosts, err = pinned(host, "host", anyHosts)
	c.fail(field+".hostPattern", err)
	p.paths, err = pinned(path, "path", anyPaths)
	c.fail(field+".pathPattern", err)
	if query != "" {
		p.queries, err = pinned(query, "query", anyQueries)
		c.fail(field+".queryPattern", err)
	}
	return p
}

// pinned anchors a pattern. One that any text matches is refused.
func pinned(text, part string, anything []string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, errors.New("is missing")
	}
	re, err := compilePattern(text)
	if err == nil && slices.ContainsFunc(anything, re.MatchString) {
		err = fmt.Errorf("is %q, which any %s matches: say which ones are the sender's", text, part)
	}
	return re, err
}
