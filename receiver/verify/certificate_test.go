package verify

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/secret"
)

const (
	certificateURL  = "https://sns.eu-west-1.amazonaws.com/key.pem"
	certificateHost = `sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?`
)

// certified is a provider that names its certificate in the body.
func certified(dnsName string) Provider {
	return Provider{Name: "sns-like", Schemes: []Scheme{{
		Name: "2", Algorithm: RSASHA256, Content: "{body}",
		Signature: Signature{From: []Location{{Header: "X-Sig"}}, Encoding: Base64},
		KeySource: &KeySource{Certificate: &CertificateSource{From: Location{Header: "X-Cert"}, HostPattern: certificateHost, DNSName: dnsName}},
	}}, Identity: Identity{ID: []string{"{body_sha256}"}}}
}

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// issue makes a certificate for public; by nil it signs itself.
func issue(tb testing.TB, by *authority, public *rsa.PublicKey, template *x509.Certificate, signer *rsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	template.SerialNumber = big.NewInt(int64(len(template.Subject.CommonName)) + 1)
	parent := template
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(encoded)
	if err != nil {
		tb.Fatal(err)
	}
	return certificate
}

// template of a certificate that is valid now.
func template509(name string, isCA bool, dnsNames ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: dnsNames, IsCA: isCA, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
}

// chainOf writes certificates as PEM.
func chainOf(certificates ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// certifiedRequest signs the body with a key and names a certificate.
func certifiedRequest(tb testing.TB, key *rsa.PrivateKey, address string) *Request {
	tb.Helper()
	sum := sha256.Sum256([]byte(testBody))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return post(testBody, "X-Sig", base64.StdEncoding.EncodeToString(signature), "X-Cert", address)
}

func TestCertificates(t *testing.T) {
	const name = "sns.amazonaws.com"
	p := pairs()
	root := &authority{key: p.otherRSA}
	root.certificate = issue(t, nil, &p.otherRSA.PublicKey, template509("root", true), p.otherRSA)
	middle := &authority{key: p.rsa}
	middle.certificate = issue(t, root, &p.rsa.PublicKey, template509("middle", true), nil)
	good := issue(t, root, &p.rsa.PublicKey, template509("leaf", false, name), nil)
	deep := issue(t, middle, &p.rsa.PublicKey, template509("deep leaf", false, name), nil)
	elsewhere := issue(t, root, &p.rsa.PublicKey, template509("leaf elsewhere", false, "sns.amazonaws.com.evil.example"), nil)
	selfMade := issue(t, nil, &p.rsa.PublicKey, template509("own", false, name), p.rsa)
	byLeaf := issue(t, &authority{good, p.rsa}, &p.rsa.PublicKey, template509("by a leaf", false, name), nil)
	small := issue(t, root, &p.smallRSA.PublicKey, template509("small leaf", false, name), nil)
	old := template509("old leaf", false, name)
	old.NotBefore, old.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Second)
	expired := issue(t, root, &p.rsa.PublicKey, old, nil)
	next := template509("next leaf", false, name)
	next.NotBefore = now.Add(time.Second)
	early := issue(t, root, &p.rsa.PublicKey, next, nil)

	for title, test := range map[string]struct {
		dnsName string
		chain   []byte
		address string
		key     *rsa.PrivateKey
		want    Reason
	}{
		"chain":                          {name, chainOf(good), certificateURL, p.rsa, ""},
		"chain with its root":            {name, chainOf(good, root.certificate), certificateURL, p.rsa, ""},
		"deeper chain":                   {name, chainOf(deep, middle.certificate), certificateURL, p.rsa, ""},
		"deeper chain with a gap":        {name, chainOf(deep), certificateURL, p.rsa, UntrustedCertificate},
		"self-made":                      {name, chainOf(selfMade), certificateURL, p.rsa, UntrustedCertificate},
		"self-made, with the real one":   {name, chainOf(selfMade, good, root.certificate), certificateURL, p.rsa, UntrustedCertificate},
		"issued by a leaf":               {name, chainOf(byLeaf, good), certificateURL, p.rsa, UntrustedCertificate},
		"another name":                   {name, chainOf(elsewhere), certificateURL, p.rsa, UntrustedCertificate},
		"expired":                        {name, chainOf(expired), certificateURL, p.rsa, UntrustedCertificate},
		"not valid yet":                  {name, chainOf(early), certificateURL, p.rsa, UntrustedCertificate},
		"no name demanded":               {"", chainOf(selfMade), certificateURL, p.rsa, ""},
		"no name demanded, expired":      {"", chainOf(expired), certificateURL, p.rsa, UntrustedCertificate},
		"small key":                      {name, chainOf(small), certificateURL, p.smallRSA, UntrustedCertificate},
		"another key":                    {name, chainOf(good), certificateURL, p.otherRSA, WrongSignature},
		"not fetched":                    {name, nil, certificateURL, p.rsa, NoCertificate},
		"empty":                          {name, []byte{}, certificateURL, p.rsa, UntrustedCertificate},
		"a public key":                   {name, []byte(publicPEM(t, &p.rsa.PublicKey)), certificateURL, p.rsa, UntrustedCertificate},
		"rubbish":                        {name, []byte("<html>"), certificateURL, p.rsa, UntrustedCertificate},
		"damaged":                        {name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), certificateURL, p.rsa, UntrustedCertificate},
		"at the bound":                   {name, chainOf(append(slices.Repeat([]*x509.Certificate{good}, maxCertificates-1), good)...), certificateURL, p.rsa, UntrustedCertificate},
		"over the bound":                 {name, chainOf(slices.Repeat([]*x509.Certificate{good}, maxCertificates+1)...), certificateURL, p.rsa, UntrustedCertificate},
		"too long":                       {name, append(chainOf(good), make([]byte, MaxCertificateBytes)...), certificateURL, p.rsa, UntrustedCertificate},
		"fetched from somewhere else":    {name, chainOf(good), "https://evil.example/key.pem", p.rsa, UntrustedCertificate},
		"fetched from who knows where":   {name, chainOf(good), "", p.rsa, PreconditionFailed},
		"good, and an untrusted address": {"", chainOf(selfMade), "http://sns.eu-west-1.amazonaws.com/key.pem", p.rsa, UntrustedCertificate},
	} {
		t.Run(title, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(root.certificate)
			material := &Material{Certificate: test.chain, Roots: roots, Secrets: []secret.Value{secret.New([]byte(testSecret))}}
			verdict, err := compiledProvider(t, certified(test.dnsName)).Verify(certifiedRequest(t, test.key, test.address), material, now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err == nil && verdict.Key != noSecret {
				t.Errorf("the key %d is no secret of the endpoint", verdict.Key)
			}
		})
	}
}

// TestCertificateURL: who names the certificate must not choose where it is from.
func TestCertificateURL(t *testing.T) {
	v := compiledProvider(t, certified("sns.amazonaws.com"))
	for address, want := range map[string]Reason{
		"https://sns.eu-west-1.amazonaws.com/key.pem":           "",
		"https://sns.cn-north-1.amazonaws.com.cn/key.pem":       "",
		"https://sns.eu-west-1.amazonaws.com:443/key.pem":       "",
		"https://sns.eu-west-1.amazonaws.com/key.pem?version=2": "",
		"": PreconditionFailed,
		"http://sns.eu-west-1.amazonaws.com/key.pem":               UntrustedCertificate,
		"https://SNS.eu-west-1.amazonaws.com/key.pem":              UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com./key.pem":             UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com:8443/key.pem":         UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com:/key.pem":             UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com:443:443/key.pem":      UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com.evil.com/key.pem":     UntrustedCertificate,
		"https://evil.com/sns.eu-west-1.amazonaws.com/key.pem":     UntrustedCertificate,
		"https://evil.com?sns.eu-west-1.amazonaws.com":             UntrustedCertificate,
		"https://evil.com#sns.eu-west-1.amazonaws.com/":            UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com/key.pem#":             UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com@evil.com/key.pem":     UntrustedCertificate,
		"https://user@sns.eu-west-1.amazonaws.com/key.pem":         UntrustedCertificate,
		"https://@sns.eu-west-1.amazonaws.com/key.pem":             UntrustedCertificate,
		`https://evil.com\.sns.eu-west-1.amazonaws.com/key.pem`:    UntrustedCertificate,
		"https://evil.com%2f.sns.eu-west-1.amazonaws.com/":         UntrustedCertificate,
		"https://sns.eu%2dwest.amazonaws.com/":                     UntrustedCertificate,
		"https://xsns.eu-west-1.amazonaws.com/key.pem":             UntrustedCertificate,
		"https://snsxeu-west-1.amazonaws.com/key.pem":              UntrustedCertificate,
		"https://[::1]/key.pem":                                    UntrustedCertificate,
		"https:sns.eu-west-1.amazonaws.com/key.pem":                UntrustedCertificate,
		"//sns.eu-west-1.amazonaws.com/key.pem":                    UntrustedCertificate,
		"sns.eu-west-1.amazonaws.com/key.pem":                      UntrustedCertificate,
		"file:///sns.eu-west-1.amazonaws.com/key.pem":              UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com/\x00key.pem":          UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com\n/key.pem":            UntrustedCertificate,
		certificateURL + strings.Repeat("x", maxCertificateURL):    UntrustedCertificate,
		"https://a.com/\nhttps://sns.eu-west-1.amazonaws.com/key":  UntrustedCertificate,
		"https://ſns.eu-west-1.amazonaws.com/key.pem":              UntrustedCertificate,
		" https://sns.eu-west-1.amazonaws.com/key.pem":             UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com /key.pem":             UntrustedCertificate,
		"https://sns.eu-west-1.amazonaws.com:443@evil.com/key.pem": UntrustedCertificate,
	} {
		got, err := v.CertificateURL(post(testBody, "X-Sig", "AAAA", "X-Cert", address), nil)
		if reason := reasonOf(t, err); reason != want || err == nil && got != address || err != nil && got != "" {
			t.Errorf("%q: %q, %v; want %q", address, got, err, want)
		}
		if err != nil && address != "" && strings.Contains(err.Error(), address) {
			t.Errorf("%q shows in %v", address, err)
		}
	}
}

// TestCertificateURLOfOthers: schemes without a certificate need none, and a
// request that nothing judges is rejected as Verify does it.
func TestCertificateURLOfOthers(t *testing.T) {
	if got, err := compiledProvider(t, githubLike).CertificateURL(post("", "X-Hub-Signature-256", "sha256=00"), nil); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err := compiledProvider(t, certified("")).CertificateURL(post("", "X-Cert", certificateURL), nil)
	if got := reasonOf(t, err); got != MissingSignature {
		t.Errorf("%q, want %q", got, MissingSignature)
	}
	_, err = compiledProvider(t, certified("")).CertificateURL(post("", "X-Sig", "AAAA", "X-Cert", certificateURL, "X-Cert", certificateURL), nil)
	if rejection, ok := errors.AsType[*Rejection](err); !ok || rejection.Reason != DuplicateHeader {
		t.Errorf("%v, want %q", err, DuplicateHeader)
	}
}

func TestHostPatterns(t *testing.T) {
	for pattern, good := range map[string]bool{
		certificateHost: true, `api\.example\.com|api\.example\.org`: true, "": false, ".*": false, `.+`: false, `[a-z.]+`: false,
		`(`: false, `a)|(.*`: false, strings.Repeat("a", maxName+1): false,
	} {
		p := certified("")
		p.Schemes[0].KeySource.Certificate.HostPattern = pattern
		if _, err := Compile(p); (err == nil) != good {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	either, err := parseHostPattern(`api\.example\.com|api\.example\.org`)
	if err != nil || !either.allows("https://api.example.org/x") || either.allows("https://api.example.com.evil.example/") {
		t.Error("alternatives must be anchored as a whole")
	}
}
