package verify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// kind says which part of the request a place is in.
type kind int

const (
	inHeader kind = iota
	inQuery
	inForm
	inJSON
	inClaim
)

// place is a compiled Location.
type place struct {
	kind    kind
	name    string           // canonical if it is a header
	pointer document.Pointer // if it is a JSON member or a claim
}

// String names the place for people, as in "header X-Hub-Signature-256".
func (p place) String() string {
	return [...]string{"header ", "query parameter ", "form field ", "JSON member ", "claim "}[p.kind] + p.name
}

// same reports whether both are one place.
func (p place) same(q place) bool { return p.kind == q.kind && p.name == q.name }

// compile checks l.
func (l Location) compile() (place, error) {
	var places []place
	for i, name := range [...]string{l.Header, l.Query, l.Form, l.JSON, l.Claim} {
		if name != "" {
			places = append(places, place{kind: kind(i), name: name})
		}
	}
	if len(places) != 1 {
		return place{}, errors.New("set exactly one of header, query, form, json and claim")
	}
	at, err := compilePlace(places[0].kind, places[0].name)
	if err == nil {
		err = at.single()
	}
	return at, err
}

// single reports an error if p is not one place: "*" is for the templates of
// identities.
func (p place) single() error {
	if p.pointer.Wild() {
		return fmt.Errorf("%q must name one value: '*' stands for many, and has a meaning in identity only", p.name)
	}
	return nil
}

// compilePlace checks a name and brings it into the form in which it is looked up.
func compilePlace(k kind, name string) (place, error) {
	p := place{kind: k, name: name}
	var err error
	switch {
	case name == "":
		err = fmt.Errorf("%sneeds a name", p)
	case len(name) > maxName:
		err = fmt.Errorf("%.40q… is longer than %d bytes", name, maxName)
	case k == inHeader:
		p.name, err = canonicalHeader(name)
	case k == inJSON, k == inClaim:
		p.pointer, err = document.ParsePointer(name)
	}
	return p, err
}

// canonicalHeader checks that name can be a header's name. Host is refused:
// net/http keeps it elsewhere, and it is for the URL to say.
func canonicalHeader(name string) (string, error) {
	for _, c := range []byte(name) {
		if !isTokenChar(c) {
			return "", fmt.Errorf("%q can't be the name of a header: use letters, digits and '-'", name)
		}
	}
	if strings.EqualFold(name, "Host") {
		return "", errors.New(`header Host can't be used: use {url}`)
	}
	return http.CanonicalHeaderKey(name), nil
}

// isTokenChar is tchar of RFC 9110 §5.6.2.
func isTokenChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
