package intake

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/certificate"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// signer is a sender that signs by a certificate.
type signer struct {
	key *rsa.PrivateKey
	pem []byte
	der []byte
}

var newSigner = sync.OnceValues(func() (signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return signer{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sender"}, DNSNames: []string{"example.com"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return signer{key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), der: der}, err
})

// roots are the authorities that trust the sender, who is his own.
func (s signer) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	certificate, err := x509.ParseCertificate(s.der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return roots
}

// sign returns the headers of a request that names its certificate.
func (s signer) sign(t *testing.T, id, url, body string) http.Header {
	t.Helper()
	digest := sha256.Sum256([]byte(body))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"X-Signature": {base64.StdEncoding.EncodeToString(signature)}, "X-Cert-Url": {url}, "X-Id": {id}}
}

// withCertificates has the provider sign by certificates of example.com.
func withCertificates(r *route.Route) {
	r.Keys = nil
	r.Provider.Schemes[0] = verify.Scheme{
		Name: "v1", Algorithm: verify.RSASHA256, Content: "{body}",
		KeySource: &verify.KeySource{Certificate: &verify.CertificateSource{
			From: verify.Location{Header: "X-Cert-Url"}, HostPattern: `example\.com`, PathPattern: `/[a-z]+\.pem`, DNSNames: []string{"example.com"},
		}},
		Signature: verify.Signature{From: []verify.Location{{Header: "X-Signature"}}, Encoding: verify.Base64},
	}
}

// newCertifiedGate serves an endpoint whose sender's host answers as answer does;
// asked counts how often it was.
func newCertifiedGate(t *testing.T, change func(*route.Route), answer http.HandlerFunc) (g *gate, asked *atomic.Int64) {
	t.Helper()
	g, asked = newGate(t, func(r *route.Route) {
		withCertificates(r)
		if change != nil {
			change(r)
		}
	}), new(atomic.Int64)
	client := g.sender(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		answer(w, r)
	})
	s, err := newSigner()
	if err != nil {
		t.Fatal(err)
	}
	g.handler.Roots = s.roots(t)
	g.handler.certificates = certificate.NewCache(client, time.Now, g.handler.Roots)
	return g, asked
}

func TestRequestIsVerifiedByTheCertificateThatItNames(t *testing.T) {
	s, err := newSigner()
	if err != nil {
		t.Fatal(err)
	}
	g, asked := newCertifiedGate(t, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.pem) })
	for i := range 3 {
		id := fmt.Sprint("evt_", i)
		got := g.send(http.MethodPost, testPath, s.sign(t, id, "https://example.com/cert.pem", "{}"), strings.NewReader("{}"))
		if got.StatusCode != 200 || got.EventID != id {
			t.Fatalf("the answer is %d %+v: %+v", got.StatusCode, got, g.record())
		}
	}
	got := g.send(http.MethodPost, testPath, s.sign(t, "evt_1", "https://example.com/cert.pem", "{}"), strings.NewReader("{ }"))
	if got.StatusCode != 401 {
		t.Errorf("another body is answered %d", got.StatusCode)
	}
	if asked.Load() != 1 {
		t.Errorf("the certificate was fetched %d times", asked.Load())
	}
}

func TestCertificateThatCannotBeHadOrTrusted(t *testing.T) {
	s, err := newSigner()
	if err != nil {
		t.Fatal(err)
	}
	const body = "{}"
	good := s.sign(t, "evt_1", "https://example.com/cert.pem", body)
	for name, test := range map[string]struct {
		route  func(*route.Route)
		header http.Header
		status int // of the sender's host
		want   int
		asked  int64
	}{
		"the host fails":     {nil, good, 500, 503, 1},
		"a redirect":         {nil, good, 302, 503, 1},
		"no certificate":     {nil, good, 204, 503, 1},
		"a foreign host":     {nil, s.sign(t, "evt_1", "https://example.org/cert.pem", body), 200, 401, 0},
		"a look-alike host":  {nil, s.sign(t, "evt_1", "https://example.com.evil.test/cert.pem", body), 200, 401, 0},
		"another path":       {nil, s.sign(t, "evt_1", "https://example.com/api/cert.pem", body), 200, 401, 0},
		"the API":            {nil, s.sign(t, "evt_1", "https://example.com/?Action=GetEndpointAttributes", body), 200, 401, 0},
		"a query":            {nil, s.sign(t, "evt_1", "https://example.com/cert.pem?a=b", body), 200, 401, 0},
		"dots":               {nil, s.sign(t, "evt_1", "https://example.com/%2e%2e/cert.pem", body), 200, 401, 0},
		"dots and slashes":   {nil, s.sign(t, "evt_1", "https://example.com/a/..//cert.pem", body), 200, 401, 0},
		"a user":             {nil, s.sign(t, "evt_1", "https://example.com:443@example.org/cert.pem", body), 200, 401, 0},
		"another port":       {nil, s.sign(t, "evt_1", "https://example.com:8443/cert.pem", body), 200, 401, 0},
		"no https":           {nil, s.sign(t, "evt_1", "http://example.com/cert.pem", body), 200, 401, 0},
		"no signature":       {nil, http.Header{"X-Cert-Url": good["X-Cert-Url"]}, 200, 400, 0},
		"a foreign source":   {func(r *route.Route) { r.Limits.SourceRanges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, good, 200, 403, 0},
		"too large":          {func(r *route.Route) { r.Limits.MaxBodyBytes = 1 }, good, 200, 413, 0},
		"the URL is missing": {nil, http.Header{"X-Signature": good["X-Signature"]}, 200, 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g, asked := newCertifiedGate(t, test.route, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://example.com/elsewhere")
				w.WriteHeader(test.status)
			})
			for range 2 { // the second time the failure is known
				got := g.send(http.MethodPost, testPath, test.header, strings.NewReader(body))
				if got.StatusCode != test.want || (got.Header.Get("Retry-After") == "30") != (test.want == 503) {
					t.Errorf("the answer is %d %q with Retry-After %q, want %d", got.StatusCode, got.Error, got.Header.Get("Retry-After"), test.want)
				}
				want := audit.Rejected
				if test.want == 503 {
					want = audit.Unavailable
				}
				if r := g.record(); r.Status != want || r.SignatureVerified || strings.Contains(r.ErrorMessage, "cert.pem") {
					t.Errorf("the audit record is %+v", r)
				}
			}
			if asked.Load() != test.asked {
				t.Errorf("the sender's host was asked %d times, want %d", asked.Load(), test.asked)
			}
		})
	}
}

// A certificate that the host quotes in a page is one that a stranger wrote there; one
// that nobody vouches for is one that he made.
func TestCertificateOfAStranger(t *testing.T) {
	s, err := newSigner()
	if err != nil {
		t.Fatal(err)
	}
	header := s.sign(t, "evt_1", "https://example.com/cert.pem", "{}")
	for name, test := range map[string]struct {
		document []byte
		trusted  bool
		want     int
	}{
		"alone":                 {s.pem, true, 200},
		"quoted in a page":      {[]byte("<Attributes><value>\n" + string(s.pem) + "</value></Attributes>"), true, 503},
		"with something else":   {append(bytes.Clone(s.pem), "</value>"...), true, 503},
		"nobody vouches for it": {s.pem, false, 401},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := newCertifiedGate(t, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(test.document) })
			if !test.trusted {
				g.handler.Roots = x509.NewCertPool()
			}
			got := g.send(http.MethodPost, testPath, header, strings.NewReader("{}"))
			if got.StatusCode != test.want || (len(g.stored()) == 1) != (test.want == 200) {
				t.Errorf("the answer is %d %q, and %d events are stored", got.StatusCode, got.Error, len(g.stored()))
			}
		})
	}
}

func TestSlowCertificateHoldsUpItsSenderOnly(t *testing.T) {
	s, err := newSigner()
	if err != nil {
		t.Fatal(err)
	}
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g, asked := newCertifiedGate(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow.pem" {
			once.Do(func() { close(arrived) })
			<-release
		}
		_, _ = w.Write(s.pem)
	})
	var slow sync.WaitGroup
	for i := range 20 {
		header := s.sign(t, fmt.Sprint("slow_", i), "https://example.com/slow.pem", "{}")
		slow.Go(func() {
			if response, text := g.raw(http.MethodPost, testPath, header, "{}"); response.StatusCode != 200 {
				t.Errorf("a request that had to wait is answered %d %s", response.StatusCode, text)
			}
		})
	}
	<-arrived
	header := s.sign(t, "quick", "https://example.com/quick.pem", "{}")
	if response, text := g.raw(http.MethodPost, testPath, header, "{}"); response.StatusCode != 200 {
		t.Errorf("another request is answered %d %s", response.StatusCode, text)
	}
	close(release)
	slow.Wait()
	if asked.Load() != 2 {
		t.Errorf("the sender's host was asked %d times", asked.Load())
	}
}
