package verify

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
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

const (
	certificateURL  = "https://sns.eu-west-1.amazonaws.com/key.pem"
	certificateHost = `sns\.(?P<region>[a-z]{2}(-[a-z]+)+-[0-9])\.amazonaws\.com(\.cn)?`
	certificatePath = `/[a-z]+\.pem`
)

// certified is a provider whose requests name a certificate in a header.
func certified(dnsNames ...string) Provider {
	return Provider{Name: "sns-like", Schemes: []Scheme{{
		Name: "2", Algorithm: RSASHA256, Content: "{body}",
		Signature: Signature{From: []Location{{Header: "X-Sig"}}, Encoding: Base64},
		KeySource: &KeySource{Certificate: &CertificateSource{
			From: Location{Header: "X-Cert"}, HostPattern: certificateHost, PathPattern: certificatePath, DNSNames: dnsNames,
			Issuers: &CertificateIssuers{HostPattern: `crt\.[a-z0-9]+\.amazontrust\.com`, PathPattern: `/[a-z0-9]+\.(cer|crt)`},
		}},
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

	regional := issue(t, root, &p.rsa.PublicKey, template509("leaf of a region", false, "sns-signing.eu-west-1.amazonaws.com"), nil)
	foreign := issue(t, root, &p.rsa.PublicKey, template509("leaf of another region", false, "sns-signing.eu-west-2.amazonaws.com"), nil)
	commonName := issue(t, root, &p.rsa.PublicKey, template509(name, false), nil)

	for title, test := range map[string]struct {
		chain   []byte
		address string
		key     *rsa.PrivateKey
		want    Reason
	}{
		"chain":                        {chainOf(good), certificateURL, p.rsa, ""},
		"chain with its root":          {chainOf(good, root.certificate), certificateURL, p.rsa, ""},
		"deeper chain":                 {chainOf(deep, middle.certificate), certificateURL, p.rsa, ""},
		"deeper chain with a gap":      {chainOf(deep), certificateURL, p.rsa, UntrustedCertificate},
		"of the region":                {chainOf(regional), certificateURL, p.rsa, ""},
		"of another region":            {chainOf(foreign), certificateURL, p.rsa, UntrustedCertificate},
		"name in the subject only":     {chainOf(commonName), certificateURL, p.rsa, UntrustedCertificate},
		"self-made":                    {chainOf(selfMade), certificateURL, p.rsa, UntrustedCertificate},
		"self-made, with the real one": {chainOf(selfMade, good, root.certificate), certificateURL, p.rsa, UntrustedCertificate},
		"issued by a leaf":             {chainOf(byLeaf, good), certificateURL, p.rsa, UntrustedCertificate},
		"another name":                 {chainOf(elsewhere), certificateURL, p.rsa, UntrustedCertificate},
		"expired":                      {chainOf(expired), certificateURL, p.rsa, UntrustedCertificate},
		"not valid yet":                {chainOf(early), certificateURL, p.rsa, UntrustedCertificate},
		"small key":                    {chainOf(small), certificateURL, p.smallRSA, UntrustedCertificate},
		"another key":                  {chainOf(good), certificateURL, p.otherRSA, WrongSignature},
		"not fetched":                  {nil, certificateURL, p.rsa, NoCertificate},
		"empty":                        {[]byte{}, certificateURL, p.rsa, UntrustedCertificate},
		"a public key":                 {[]byte(publicPEM(t, &p.rsa.PublicKey)), certificateURL, p.rsa, UntrustedCertificate},
		"quoted in a page":             {[]byte("<a>\n" + string(chainOf(good)) + "</a>\n"), certificateURL, p.rsa, UntrustedCertificate},
		"at the bound":                 {chainOf(slices.Repeat([]*x509.Certificate{good}, keymaterial.MaxCertificates)...), certificateURL, p.rsa, ""},
		"over the bound":               {chainOf(slices.Repeat([]*x509.Certificate{good}, keymaterial.MaxCertificates+1)...), certificateURL, p.rsa, UntrustedCertificate},
		"too long":                     {append(chainOf(good), bytes.Repeat([]byte{'\n'}, keymaterial.MaxCertificateBytes)...), certificateURL, p.rsa, UntrustedCertificate},
		"fetched from somewhere else":  {chainOf(good), "https://evil.example/key.pem", p.rsa, UntrustedCertificate},
		"fetched from another path":    {chainOf(good), "https://sns.eu-west-1.amazonaws.com/?Action=GetEndpointAttributes", p.rsa, UntrustedCertificate},
		"fetched from who knows where": {chainOf(good), "", p.rsa, PreconditionFailed},
		"fetched without TLS":          {chainOf(good), "http://sns.eu-west-1.amazonaws.com/key.pem", p.rsa, UntrustedCertificate},
	} {
		t.Run(title, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(root.certificate)
			material := &Material{Certificate: test.chain, Roots: roots, Secrets: []secret.Value{secret.New([]byte(testSecret))}}
			verdict, err := compiledProvider(t, certified(name, "sns-signing.{region}.amazonaws.com")).
				Verify(certifiedRequest(t, test.key, test.address), material, now)
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
	const host = "https://sns.eu-west-1.amazonaws.com"
	for address, want := range map[string]Reason{
		host + "/key.pem": "",
		"https://sns.cn-north-1.amazonaws.com.cn/key.pem": "",
		host + ":443/key.pem":                             "",
		"":                                                PreconditionFailed,
		// The sender's API, which quotes what its users wrote.
		host + "/?Action=GetEndpointAttributes&EndpointArn=arn": UntrustedCertificate,
		host + "/key.pem?Action=GetEndpointAttributes":          UntrustedCertificate,
		host + "/key.pem?": UntrustedCertificate,
		host + "?/key.pem": UntrustedCertificate,
		host + "/":         UntrustedCertificate,
		host:               UntrustedCertificate,
		"https://sns.us-gov-west-1.amazonaws.com/key.pem": "",
		"https://sns.s3-us-west-2.amazonaws.com/key.pem":  UntrustedCertificate,
		"https://sns.s3-accelerate.amazonaws.com/key.pem": UntrustedCertificate,
		"https://sns.s3.eu-west-1.amazonaws.com/key.pem":  UntrustedCertificate,
		"https://sns.eu-west-1.s3.amazonaws.com/key.pem":  UntrustedCertificate,
		"https://s3.eu-west-1.amazonaws.com/sns/key.pem":  UntrustedCertificate,
		// Other paths, and other spellings of the right one.
		host + "/a/key.pem":          UntrustedCertificate,
		host + "//key.pem":           UntrustedCertificate,
		host + "/a/../key.pem":       UntrustedCertificate,
		host + "/../key.pem":         UntrustedCertificate,
		host + "/./key.pem":          UntrustedCertificate,
		host + "/%2e%2e/key.pem":     UntrustedCertificate,
		host + "/k%65y.pem":          UntrustedCertificate,
		host + "/key%2epem":          UntrustedCertificate,
		host + "/key.pem/":           UntrustedCertificate,
		host + "/key.pem%00":         UntrustedCertificate,
		host + "/key.pem;a=b":        UntrustedCertificate,
		host + `/a\key.pem`:          UntrustedCertificate,
		host + "/key.pem%3fAction=x": UntrustedCertificate,
		host + "/key.pemx":           UntrustedCertificate,
		host + "/key.pem#":           UntrustedCertificate,
		host + "/key.pem#/key.pem":   UntrustedCertificate,
		host + "/\x00key.pem":        UntrustedCertificate,
		host + "/key.pem\n":          UntrustedCertificate,
		host + "/key.pem ":           UntrustedCertificate,
		host + "\n/key.pem":          UntrustedCertificate,
		host + " /key.pem":           UntrustedCertificate,
		// Other schemes, ports, users and hosts.
		"http://sns.eu-west-1.amazonaws.com/key.pem":     UntrustedCertificate,
		"http://sns.eu-west-1.amazonaws.com:443/key.pem": UntrustedCertificate,
		"https://SNS.eu-west-1.amazonaws.com/key.pem":    UntrustedCertificate,
		host + "./key.pem":         UntrustedCertificate,
		host + ":8443/key.pem":     UntrustedCertificate,
		host + ":80/key.pem":       UntrustedCertificate,
		host + ":/key.pem":         UntrustedCertificate,
		host + ":443:443/key.pem":  UntrustedCertificate,
		host + ":0443/key.pem":     UntrustedCertificate,
		host + ".evil.com/key.pem": UntrustedCertificate,
		"https://evil.com/sns.eu-west-1.amazonaws.com/key.pem":    UntrustedCertificate,
		"https://evil.com?sns.eu-west-1.amazonaws.com/key.pem":    UntrustedCertificate,
		"https://evil.com#sns.eu-west-1.amazonaws.com/key.pem":    UntrustedCertificate,
		host + "@evil.com/key.pem":                                UntrustedCertificate,
		host + ":443@evil.com/key.pem":                            UntrustedCertificate,
		"https://user@sns.eu-west-1.amazonaws.com/key.pem":        UntrustedCertificate,
		"https://user:word@sns.eu-west-1.amazonaws.com/key.pem":   UntrustedCertificate,
		"https://@sns.eu-west-1.amazonaws.com/key.pem":            UntrustedCertificate,
		`https://evil.com\.sns.eu-west-1.amazonaws.com/key.pem`:   UntrustedCertificate,
		"https://evil.com%2f.sns.eu-west-1.amazonaws.com/key.pem": UntrustedCertificate,
		"https://sns.eu%2dwest-1.amazonaws.com/key.pem":           UntrustedCertificate,
		"https://xsns.eu-west-1.amazonaws.com/key.pem":            UntrustedCertificate,
		"https://snsxeu-west-1.amazonaws.com/key.pem":             UntrustedCertificate,
		"https://[::1]/key.pem":                                   UntrustedCertificate,
		"https:sns.eu-west-1.amazonaws.com/key.pem":               UntrustedCertificate,
		"//sns.eu-west-1.amazonaws.com/key.pem":                   UntrustedCertificate,
		"sns.eu-west-1.amazonaws.com/key.pem":                     UntrustedCertificate,
		"file:///sns.eu-west-1.amazonaws.com/key.pem":             UntrustedCertificate,
		host + "/" + strings.Repeat("x", maxNamedURL) + ".pem":    UntrustedCertificate,
		"https://a.com/\nhttps://sns.eu-west-1.amazonaws.com/key": UntrustedCertificate,
		"https://ſns.eu-west-1.amazonaws.com/key.pem":             UntrustedCertificate,
		" " + host + "/key.pem":                                   UntrustedCertificate,
	} {
		got, err := v.Certificate(post(testBody, "X-Sig", "AAAA", "X-Cert", address), nil)
		if reason := reasonOf(t, err); reason != want || err == nil && got.URL != address || err != nil && got.URL != "" {
			t.Errorf("%q: %q, %v; want %q", address, got.URL, err, want)
		}
		if err != nil && len(address) > len(host) && strings.Contains(err.Error(), address) {
			t.Errorf("%q shows in %v", address, err)
		}
	}
}

// TestIssuersOfCertificates: they prove themselves, so http will do, but nowhere
// else than the provider says.
func TestIssuersOfCertificates(t *testing.T) {
	named, err := compiledProvider(t, certified("sns.amazonaws.com")).Certificate(post(testBody, "X-Sig", "AAAA", "X-Cert", certificateURL), nil)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"http://crt.r2m01.amazontrust.com/r2m01.cer":      true,
		"https://crt.r2m01.amazontrust.com/r2m01.cer":     true,
		"http://crt.r2m01.amazontrust.com:80/r2m01.cer":   true,
		"http://crt.r2m01.amazontrust.com:443/r2m01.cer":  false,
		"https://crt.r2m01.amazontrust.com:80/r2m01.cer":  false,
		"http://crt.r2m01.amazontrust.com:8080/r2m01.cer": false,
		"http://crt.r2m01.amazontrust.com/r2m01.cer?a=b":  false,
		"http://crt.evil.example/r2m01.cer":               false,
		"http://169.254.169.254/latest.cer":               false,
		"ldap://crt.r2m01.amazontrust.com/r2m01.cer":      false,
	} {
		if got := named.Issuers.Allows(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
	p := certified("sns.amazonaws.com")
	p.Schemes[0].KeySource.Certificate.Issuers = nil
	alone, err := compiledProvider(t, p).Certificate(post(testBody, "X-Sig", "AAAA", "X-Cert", certificateURL), nil)
	if err != nil || alone.Issuers.Allows("http://crt.r2m01.amazontrust.com/r2m01.cer") || alone.Issuers.String() == named.Issuers.String() {
		t.Errorf("without issuers: %v, %q", err, alone.Issuers)
	}
}

// TestCertificateURLOfOthers: schemes without a certificate need none, and a
// request that nothing judges is rejected as Verify does it.
func TestCertificateURLOfOthers(t *testing.T) {
	if got, err := compiledProvider(t, githubLike).Certificate(post("", "X-Hub-Signature-256", "sha256=00"), nil); got.URL != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err := compiledProvider(t, certified("a.example")).Certificate(post("", "X-Cert", certificateURL), nil)
	if got := reasonOf(t, err); got != MissingSignature {
		t.Errorf("%q, want %q", got, MissingSignature)
	}
	_, err = compiledProvider(t, certified("a.example")).Certificate(post("", "X-Sig", "AAAA", "X-Cert", certificateURL, "X-Cert", certificateURL), nil)
	if rejection, ok := errors.AsType[*Rejection](err); !ok || rejection.Reason != DuplicateHeader {
		t.Errorf("%v, want %q", err, DuplicateHeader)
	}
}

// TestCertificateSources: what is not pinned is not compiled.
func TestCertificateSources(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*CertificateSource)
		says   string // empty: nothing is wrong
	}{
		"nothing": {func(*CertificateSource) {}, ""},
		"alternatives": {func(s *CertificateSource) {
			s.HostPattern, s.DNSNames = `api\.example\.com|api\.example\.org`, []string{"a.example"}
		}, ""},
		"no host":                 {func(s *CertificateSource) { s.HostPattern = "" }, "hostPattern: is missing"},
		"any host":                {func(s *CertificateSource) { s.HostPattern = ".*" }, "any host matches"},
		"any host that is there":  {func(s *CertificateSource) { s.HostPattern = ".+" }, "any host matches"},
		"any name":                {func(s *CertificateSource) { s.HostPattern = "[a-z.]+" }, "any host matches"},
		"no expression":           {func(s *CertificateSource) { s.HostPattern = "(" }, "hostPattern: is not a regular expression"},
		"an end of the group":     {func(s *CertificateSource) { s.HostPattern = "a)|(.*" }, "hostPattern: is not a regular expression"},
		"a long host":             {func(s *CertificateSource) { s.HostPattern = strings.Repeat("a", maxName+1) }, "hostPattern: is longer than"},
		"no path":                 {func(s *CertificateSource) { s.PathPattern = "" }, "pathPattern: is missing"},
		"any path":                {func(s *CertificateSource) { s.PathPattern = "/.*" }, "any path matches"},
		"any path, or none":       {func(s *CertificateSource) { s.PathPattern = "(/.*)?" }, "any path matches"},
		"any path of one segment": {func(s *CertificateSource) { s.PathPattern = "/[^/]+" }, "any path matches"},
		"no names":                {func(s *CertificateSource) { s.DNSNames = nil }, "dnsNames: are missing"},
		"many names":              {func(s *CertificateSource) { s.DNSNames = slices.Repeat([]string{"a.example"}, maxDNSNames+1) }, "dnsNames: there may be at most"},
		"an empty name":           {func(s *CertificateSource) { s.DNSNames = []string{""} }, "dnsNames[0]: must be a DNS name"},
		"a long name":             {func(s *CertificateSource) { s.DNSNames = []string{strings.Repeat("a.", maxDNSName) + "example"} }, "dnsNames[0]: must be a DNS name"},
		"a URL as name":           {func(s *CertificateSource) { s.DNSNames = []string{"https://a.example"} }, "dnsNames[0]: must be a DNS name"},
		"any name below":          {func(s *CertificateSource) { s.DNSNames = []string{"*.example.com"} }, "dnsNames[0]: must be a DNS name"},
		"an unknown group":        {func(s *CertificateSource) { s.DNSNames = []string{"sns.{place}.example"} }, "{place} must be the name of a group"},
		"no group":                {func(s *CertificateSource) { s.DNSNames = []string{"sns.{}.example"} }, "{} must be the name of a group"},
		"issuers without host":    {func(s *CertificateSource) { s.Issuers.HostPattern = "" }, "issuers.hostPattern: is missing"},
		"issuers anywhere":        {func(s *CertificateSource) { s.Issuers.HostPattern = ".*" }, "any host matches"},
		"issuers without path":    {func(s *CertificateSource) { s.Issuers.PathPattern = "" }, "issuers.pathPattern: is missing"},
		"issuers at any path":     {func(s *CertificateSource) { s.Issuers.PathPattern = "/.*" }, "any path matches"},
	} {
		t.Run(name, func(t *testing.T) {
			p := certified("a.example", "sns-signing.{region}.amazonaws.com")
			test.change(p.Schemes[0].KeySource.Certificate)
			_, err := Compile(p)
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestAlternativesAreAnchoredAsAWhole(t *testing.T) {
	either := new(compiler).urls("", `api\.example\.com|api\.example\.org`, `/a|/b`, `c=d|e=f`)
	for address, want := range map[string]bool{
		"https://api.example.org/b?e=f": true, "https://api.example.com/a?c=d": true, "https://api.example.com.evil.example/a?c=d": false,
		"https://api.example.com/a/c?c=d": false, "https://api.example.com/c/b?c=d": false, "https://api.example.com/a?c=d&g=h": false,
		"https://api.example.com/a?g=h&e=f": false, "https://api.example.com/a": false,
	} {
		if got := either.Allows(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}
