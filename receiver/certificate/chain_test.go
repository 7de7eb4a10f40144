package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/verify"
)

// start is when the tests begin.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// party has a certificate and its key.
type party struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issue makes a certificate, signed by a party; nil: by itself. It names aia as the
// place of its issuer's.
func issue(by *party, name string, isCA bool, notAfter time.Time, aia ...string) (*party, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: start.Add(-time.Hour), NotAfter: notAfter, IssuingCertificateURL: aia,
	}
	made := &party{key: key}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	made.certificate, err = x509.ParseCertificate(der)
	return made, err
}

// parties are a root, what it vouches for, and strangers.
type parties struct {
	root, upper, lower, leaf, deep, next *party
	ownRoot, ownLower, own               *party // of somebody who calls himself so, too
	noWay, elsewhere                     *party
}

const (
	upperURL = "http://crt.upper.example/upper.cer"
	lowerURL = "http://crt.lower.example/lower.cer"
)

var plant = sync.OnceValues(func() (parties, error) {
	var p parties
	var failed error
	grow := func(by *party, name string, isCA bool, aia ...string) *party {
		made, err := issue(by, name, isCA, start.Add(100*24*time.Hour), aia...)
		failed = errors.Join(failed, err)
		return made
	}
	p.root = grow(nil, "root", true)
	p.upper = grow(p.root, "upper", true)
	p.lower = grow(p.upper, "lower", true, upperURL)
	p.leaf = grow(p.root, "sender.example", false)
	p.deep = grow(p.lower, "sender.example", false, "ldap://crt.lower.example/lower", lowerURL)
	p.ownRoot = grow(nil, "root", true)
	p.ownLower = grow(p.ownRoot, "lower", true)
	p.own = grow(p.ownLower, "sender.example", false, lowerURL)
	p.noWay = grow(p.lower, "sender.example", false)
	p.elsewhere = grow(p.lower, "sender.example", false, "http://169.254.169.254/latest.cer", "http://crt.lower.example/lower.cer?a=b")
	next, err := issue(p.root, "sender.example", false, start.Add(200*24*time.Hour))
	p.next = next
	return p, errors.Join(failed, err)
})

func tree(t *testing.T) parties {
	t.Helper()
	p, err := plant()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// leafOf is a certificate that a root signed, nextLeafOf the one after it.
func leafOf(t *testing.T) *x509.Certificate {
	t.Helper()
	return tree(t).leaf.certificate
}

func nextLeafOf(t *testing.T) *x509.Certificate {
	t.Helper()
	return tree(t).next.certificate
}

// inPEM writes certificates as PEM.
func inPEM(certificates ...*x509.Certificate) string {
	var text strings.Builder
	for _, c := range certificates {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return text.String()
}

// web is a Getter that holds documents, and notes what was asked for.
type web struct {
	documents map[string]string
	asked     []string
}

func (w *web) Get(_ context.Context, address string) ([]byte, error) {
	if !strings.HasPrefix(address, "https://") {
		return nil, errors.New("it is not https")
	}
	return w.GetProven(context.Background(), address)
}

func (w *web) GetProven(_ context.Context, address string) ([]byte, error) {
	w.asked = append(w.asked, address)
	if document, ok := w.documents[address]; ok {
		return []byte(document), nil
	}
	return nil, errors.New("there is nothing")
}

// named is the place of a certificate whose issuers may be fetched from crt.*.example.
func named(t *testing.T) verify.NamedCertificate {
	t.Helper()
	v, err := verify.Compile(verify.Provider{
		Name: "named", Identity: verify.Identity{ID: []string{"{body_sha256}"}},
		Schemes: []verify.Scheme{{
			Name: "certificate", Algorithm: verify.ECDSAP256SHA256, Content: "{body}",
			Signature: verify.Signature{From: []verify.Location{{Header: "X-Signature"}}, Encoding: verify.Base64},
			KeySource: &verify.KeySource{Certificate: &verify.CertificateSource{
				From: verify.Location{Header: "X-Cert"}, HostPattern: `sender\.example`, PathPattern: `/cert\.pem`, DNSNames: []string{"sender.example"},
				Issuers: &verify.CertificateIssuers{HostPattern: `crt\.[a-z]+\.example`, PathPattern: `/[a-z]+\.cer`},
			}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &verify.Request{Method: "POST", Header: map[string][]string{"X-Signature": {"AAAA"}, "X-Cert": {"https://sender.example/cert.pem"}}}
	at, err := v.Certificate(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestIssuersThatAreNotThereAreFetched(t *testing.T) {
	p := tree(t)
	at := named(t)
	der := func(p *party) string { return string(p.certificate.Raw) }
	chain := func(parties ...*party) string {
		var list []*x509.Certificate
		for _, one := range parties {
			list = append(list, one.certificate)
		}
		return inPEM(list...)
	}
	for name, test := range map[string]struct {
		document string
		issuers  map[string]string
		want     string   // the chain; empty: there is an error
		asked    []string // beside the document
	}{
		"nothing is missing":         {chain(p.deep, p.lower, p.upper), nil, chain(p.deep, p.lower, p.upper), nil},
		"in another order":           {chain(p.deep, p.upper, p.lower), nil, chain(p.deep, p.upper, p.lower), nil},
		"by the root":                {chain(p.leaf), nil, chain(p.leaf), nil},
		"the leaf alone":             {chain(p.deep), map[string]string{lowerURL: der(p.lower), upperURL: der(p.upper)}, chain(p.deep, p.lower, p.upper), []string{lowerURL, upperURL}},
		"issuers in PEM":             {chain(p.deep), map[string]string{lowerURL: chain(p.lower), upperURL: chain(p.upper)}, chain(p.deep, p.lower, p.upper), []string{lowerURL, upperURL}},
		"the upper is missing":       {chain(p.deep, p.lower), map[string]string{upperURL: der(p.upper)}, chain(p.deep, p.lower, p.upper), []string{upperURL}},
		"the lower is missing":       {chain(p.deep, p.upper), map[string]string{lowerURL: der(p.lower)}, chain(p.deep, p.upper, p.lower), []string{lowerURL}},
		"it says no place":           {chain(p.noWay), nil, chain(p.noWay), nil},
		"only places elsewhere":      {chain(p.elsewhere), nil, chain(p.elsewhere), nil},
		"the issuer can't be had":    {chain(p.deep), nil, "", []string{lowerURL}},
		"the next one can't be had":  {chain(p.deep), map[string]string{lowerURL: der(p.lower)}, "", []string{lowerURL, upperURL}},
		"a page":                     {chain(p.deep), map[string]string{lowerURL: "<html>"}, "", []string{lowerURL}},
		"an issuer in a page":        {chain(p.deep), map[string]string{lowerURL: "<a>\n" + chain(p.lower) + "</a>"}, "", []string{lowerURL}},
		"something behind":           {chain(p.deep), map[string]string{lowerURL: der(p.lower) + "x"}, "", []string{lowerURL}},
		"one of the same name":       {chain(p.deep), map[string]string{lowerURL: der(p.ownLower)}, "", []string{lowerURL}},
		"another one":                {chain(p.deep), map[string]string{lowerURL: der(p.upper)}, "", []string{lowerURL}},
		"itself":                     {chain(p.deep), map[string]string{lowerURL: der(p.deep)}, "", []string{lowerURL}},
		"a root that nobody trusts":  {chain(p.own, p.ownLower, p.ownRoot), nil, chain(p.own, p.ownLower, p.ownRoot), nil},
		"a chain that nobody trusts": {chain(p.own), map[string]string{lowerURL: der(p.ownLower)}, chain(p.own, p.ownLower), []string{lowerURL}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{documents: map[string]string{at.URL: test.document}}
			maps.Copy(w.documents, test.issuers)
			got, err := NewCache(w, func() time.Time { return start }, rootsOf(t)).Get(t.Context(), endpoint, at)
			if string(got) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q, %v", got, err)
			}
			if want := append([]string{at.URL}, test.asked...); !slices.Equal(w.asked, want) {
				t.Errorf("%q was asked for, want %q", w.asked, want)
			}
			if err != nil && strings.Contains(err.Error(), "example") {
				t.Errorf("the error repeats a URL: %v", err)
			}
		})
	}
}

// What leads nowhere is refused when it is verified. It is not worth keeping.
func TestChainThatLeadsNowhereIsFetchedAnewSoon(t *testing.T) {
	p := tree(t)
	at := named(t)
	w := &web{documents: map[string]string{at.URL: inPEM(p.own.certificate, p.ownLower.certificate)}}
	now := start
	c := NewCache(w, func() time.Time { return now }, rootsOf(t))
	for range 2 {
		if got, err := c.Get(t.Context(), endpoint, at); err != nil || string(got) != w.documents[at.URL] {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if len(w.asked) != 1 || len(c.kept.Keys()) != 0 {
		t.Errorf("asked for %q, %d are kept", w.asked, len(c.kept.Keys()))
	}
	now = now.Add(failedFor + time.Second)
	w.documents[at.URL] = inPEM(p.leaf.certificate)
	if got, err := c.Get(t.Context(), endpoint, at); err != nil || string(got) != w.documents[at.URL] {
		t.Errorf("got %q, %v", got, err)
	}
}

// Issuers that are signed by more and more others come to an end.
func TestIssuersAreBounded(t *testing.T) {
	at := named(t)
	w := &web{documents: map[string]string{}}
	by, err := issue(nil, "far root", true, start.Add(time.Hour))
	for i := range 2 * maxIssuers {
		if err != nil {
			t.Fatal(err)
		}
		address := "http://crt.level.example/" + strings.Repeat("a", i+1) + ".cer"
		w.documents[address] = string(by.certificate.Raw)
		by, err = issue(by, "level", true, start.Add(time.Hour), address)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.documents[at.URL] = inPEM(by.certificate)
	if _, err := NewCache(w, func() time.Time { return start }, rootsOf(t)).Get(t.Context(), endpoint, at); err != nil {
		t.Error(err)
	}
	if len(w.asked) != 1+maxIssuers {
		t.Errorf("%d documents were asked for: %q", len(w.asked), w.asked)
	}
}
