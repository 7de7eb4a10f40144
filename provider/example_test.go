package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// greeter is a provider with handshakes of each sort, whose examples are tests.
func greeter(tests ...v1alpha1.ProviderTest) *v1alpha1.WebhookProvider {
	return &v1alpha1.WebhookProvider{
		ObjectMeta: metav1.ObjectMeta{Name: "greeter"},
		Spec: v1alpha1.WebhookProviderSpec{
			Verify: []v1alpha1.SignatureScheme{{
				Name: "token", Algorithm: "Token",
				Signature: v1alpha1.SignatureFormat{From: []v1alpha1.RequestLocation{{Header: "X-Token"}}, Encoding: "Text"},
			}},
			Identity:   v1alpha1.EventIdentity{ID: []v1alpha1.IdentityTemplate{"{json:/events/*/id}"}, Type: []v1alpha1.IdentityTemplate{"{json:/events/*/type}"}},
			Parameters: []v1alpha1.ProviderParameter{{Name: "verify_token", Description: "What the sender says first."}},
			Handshakes: []v1alpha1.Handshake{{
				Name: "hello", Method: "GET", Unsigned: true,
				Guard:  []v1alpha1.RequestCondition{{RequestLocation: v1alpha1.RequestLocation{Query: "token"}, Parameter: "verify_token"}},
				Answer: v1alpha1.HandshakeAnswer{Body: "{query:challenge}", Headers: []v1alpha1.AnswerField{{Name: "X-Echo", Value: "{query:challenge}"}}},
			}, {
				Name: "subscribe", Method: "POST", Match: []v1alpha1.RequestCondition{{RequestLocation: v1alpha1.RequestLocation{JSON: "/confirm"}}},
				Answer:  v1alpha1.HandshakeAnswer{Status: 204},
				Confirm: &v1alpha1.Confirmation{From: v1alpha1.RequestLocation{JSON: "/confirm"}, HostPattern: `[a-z]+\.example\.com`, PathPattern: `/[a-z]`},
			}},
			Tests: tests,
		},
	}
}

// hello is an example of the unsigned handshake, which needs no secret.
func hello(change func(*v1alpha1.ProviderTest)) v1alpha1.ProviderTest {
	test := v1alpha1.ProviderTest{
		Name:       "hello",
		Parameters: []v1alpha1.ParameterValues{{Name: "verify_token", Values: []string{"other", "tok"}}},
		Request:    v1alpha1.ExampleRequest{Method: "GET", URL: "https://hooks.example.com/a/b?token=tok&challenge=c1"},
		Expect: v1alpha1.Expectation{Handshake: &v1alpha1.ExpectedHandshake{
			Name: "hello", Body: "c1", Headers: []v1alpha1.ExampleHeader{{Name: "Content-Type", Value: "text/plain"}, {Name: "x-echo", Value: "c1"}},
		}},
	}
	change(&test)
	return test
}

// subscribe is an example of the signed handshake.
func subscribe(change func(*v1alpha1.ProviderTest)) v1alpha1.ProviderTest {
	test := v1alpha1.ProviderTest{
		Name: "subscribe", Secret: "s",
		Request: v1alpha1.ExampleRequest{
			Body: `{"confirm":"https://a.example.com/x"}`, Headers: []v1alpha1.ExampleHeader{{Name: "X-Token", Value: "s"}},
		},
		Expect: v1alpha1.Expectation{Handshake: &v1alpha1.ExpectedHandshake{Name: "subscribe", Status: 204, Confirm: "https://a.example.com/x"}},
	}
	change(&test)
	return test
}

// TestExampleOfHandshake: an example takes the way of a request through a
// receiver, and what differs from it is said in a sentence.
func TestExampleOfHandshake(t *testing.T) {
	type example = func(func(*v1alpha1.ProviderTest)) v1alpha1.ProviderTest
	for name, test := range map[string]struct {
		example example
		change  func(*v1alpha1.ProviderTest)
		problem string
	}{
		"unsigned":         {hello, func(*v1alpha1.ProviderTest) {}, ""},
		"signed":           {subscribe, func(*v1alpha1.ProviderTest) {}, ""},
		"refused":          {hello, refused("token=wrong", "HandshakeRefused"), ""},
		"malformed":        {hello, refused("token=tok", "MalformedHandshake"), ""},
		"no parameters":    {hello, func(p *v1alpha1.ProviderTest) { p.Parameters = nil }, "should be accepted, and it is rejected (HandshakeRefused"},
		"another reason":   {hello, refused("token=wrong", "MissingSignature"), "for another reason (HandshakeRefused"},
		"answered":         {hello, refused("token=tok&challenge=c", "MissingSignature"), "should be rejected for MissingSignature, and it is accepted"},
		"another name":     {hello, func(p *v1alpha1.ProviderTest) { p.Expect.Handshake.Name = "x" }, `should be the handshake "x", and it is "hello"`},
		"another status":   {hello, func(p *v1alpha1.ProviderTest) { p.Expect.Handshake.Status = 201 }, "should be 201, and it is 200"},
		"another body":     {hello, func(p *v1alpha1.ProviderTest) { p.Expect.Handshake.Body = "" }, `the body of the answer should be "", and it is "c1"`},
		"another header":   {hello, func(p *v1alpha1.ProviderTest) { p.Expect.Handshake.Headers[1].Value = "c2" }, `the header x-echo of the answer should be "c2"`},
		"nothing confirms": {subscribe, func(p *v1alpha1.ProviderTest) { p.Expect.Handshake.Confirm = "" }, `the URL to confirm should be ""`},
		"no secret":        {subscribe, func(p *v1alpha1.ProviderTest) { p.Secret = "" }, "NoUsableKey"},
		"an event":         {subscribe, func(p *v1alpha1.ProviderTest) { p.Request.Body = `{"events":[{"id":"1"}]}` }, `should be the handshake "subscribe", and it is an event`},
		"not an event":     {subscribe, func(p *v1alpha1.ProviderTest) { p.Expect = v1alpha1.Expectation{ID: "1"} }, `should be an event, and it is the handshake "subscribe"`},
		"bytes":            {subscribe, bytes("77u/eyJjb25maXJtIjoiaHR0cHM6Ly9hLmV4YW1wbGUuY29tL3giLCJhIjoiPj4+In0="), ""},
		"bytes of a URL":   {subscribe, bytes("77u_eyJjb25maXJtIjoiaHR0cHM6Ly9hLmV4YW1wbGUuY29tL3giLCJhIjoiPj4-In0="), "request.bodyBase64 is not base64 with '+' and '/', padded with '='"},
		"bytes unpadded":   {subscribe, bytes("e30"), "request.bodyBase64 is not base64"},
		"a batch": {subscribe, func(p *v1alpha1.ProviderTest) {
			p.Request.Body = `{"events":[{"id":"1","type":"a"},{"type":"b"}]}`
			p.Expect = v1alpha1.Expectation{Rejected: "MissingID"}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := provider.Compile(greeter(test.example(test.change))).Problem
			if !strings.Contains(got, test.problem) || (got == "") != (test.problem == "") {
				t.Errorf("the problem is %q, want %q", got, test.problem)
			}
		})
	}
}

// bytes makes an example of a body in base64.
func bytes(text string) func(*v1alpha1.ProviderTest) {
	return func(p *v1alpha1.ProviderTest) { p.Request.Body, p.Request.BodyBase64 = "", text }
}

// refused makes an example of a query that is refused.
func refused(query string, reason v1alpha1.RejectionReason) func(*v1alpha1.ProviderTest) {
	return func(p *v1alpha1.ProviderTest) {
		p.Request.URL = "https://hooks.example.com/a/b?" + query
		p.Expect = v1alpha1.Expectation{Rejected: reason}
	}
}

// published is a provider with a key source, and an example whose key it publishes.
func published(source v1alpha1.KeySource, key, signature string) *v1alpha1.WebhookProvider {
	return &v1alpha1.WebhookProvider{
		ObjectMeta: metav1.ObjectMeta{Name: "published"},
		Spec: v1alpha1.WebhookProviderSpec{
			Verify: []v1alpha1.SignatureScheme{{
				Name: "key", Algorithm: "ECDSA-P256-SHA256", Content: "{body}", KeySource: &source,
				Signature: v1alpha1.SignatureFormat{From: []v1alpha1.RequestLocation{{Header: "X-Signature"}}, Encoding: "Base64"},
			}},
			Identity: v1alpha1.EventIdentity{ID: []v1alpha1.IdentityTemplate{"{json:/id}"}},
			Tests: []v1alpha1.ProviderTest{{
				Name: "an event", Key: key, Now: &metav1.Time{Time: time.Unix(1700000000, 0)},
				Request: v1alpha1.ExampleRequest{Body: `{"id":"1"}`, Headers: []v1alpha1.ExampleHeader{
					{Name: "X-Signature", Value: signature}, {Name: "X-Cert", Value: "https://keys.example.com/cert.pem"},
				}},
				Expect: v1alpha1.Expectation{ID: "1"},
			}},
		},
	}
}

// TestExampleKey: the key of an example is found wherever the provider's scheme
// looks for it.
func TestExampleKey(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "keys.example.com"}, DNSNames: []string{"keys.example.com"},
		NotBefore: time.Unix(1600000000, 0), NotAfter: time.Unix(1800000000, 0), BasicConstraintsValid: true, IsCA: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	inPEM := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	signature := signatureOf(t, private, `{"id":"1"}`)
	byURL := v1alpha1.KeySource{PublicKey: &v1alpha1.PublicKeySource{URL: "https://keys.example.com/key", JSON: "/key"}}
	byCertificate := v1alpha1.KeySource{Certificate: &v1alpha1.CertificateSource{
		From: v1alpha1.RequestLocation{Header: "X-Cert"}, HostPattern: `keys\.example\.com`, PathPattern: `/cert\.pem`, DNSNames: []string{"keys.example.com"},
	}}
	for name, test := range map[string]struct {
		source  v1alpha1.KeySource
		key     string
		problem string
	}{
		"public key":            {byURL, inPEM("PUBLIC KEY", public), ""},
		"certificate":           {byCertificate, inPEM("CERTIFICATE", certificate), ""},
		"no public key":         {byURL, "", "NoUsableKey"},
		"no certificate":        {byCertificate, "", "NoCertificate"},
		"what is no public key": {byURL, "x", "key: it must be a public key on the curve P-256"},
		"what is neither":       {byCertificate, "x", "NoCertificate"},
	} {
		t.Run(name, func(t *testing.T) {
			got := provider.Compile(published(test.source, test.key, signature)).Problem
			if !strings.Contains(got, test.problem) || (got == "") != (test.problem == "") || strings.Contains(got, "\n") {
				t.Errorf("the problem is %q, want %q", got, test.problem)
			}
		})
	}
}

func signatureOf(t *testing.T, private *ecdsa.PrivateKey, body string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(body))
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}
