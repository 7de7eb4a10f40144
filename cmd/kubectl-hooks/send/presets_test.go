package send_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/send"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// unsignable are the schemes that nobody but the sender can sign by, and what the
// error says about each. All others must be signed.
var unsignable = map[string]string{
	"aws-sns/signature-v1":                 "a certificate of the sender, whose URL is in JSON member /SigningCertURL",
	"aws-sns/signature-v2":                 "a certificate of the sender, whose URL is in JSON member /SigningCertURL",
	"azure-event-grid-entra-jwt/entra-jwt": "https://login.microsoftonline.com/{param:tenant}/discovery/v2.0/keys, where the sender publishes them",
	"google-pubsub/oidc":                   "https://www.googleapis.com/oauth2/v3/certs, where the sender publishes them",
	"paypal/live":                          "a certificate of the sender, whose URL is in header Paypal-Cert-Url",
	"paypal/sandbox":                       "a certificate of the sender, whose URL is in header Paypal-Cert-Url",
	"travis/default":                       "https://api.travis-ci.com/config, where the sender publishes them",
}

// privateKeys are the schemes that a private key is needed for.
var privateKeys = map[string]func(*testing.T) []byte{
	"discord/default":  ed25519PEM,
	"plaid/jwt":        p256PEM,
	"sendgrid/default": p256PEM,
	"standard-webhooks-v1a-ed25519/v1a-ed25519": ed25519PEM,
	"telnyx/default": ed25519PEM,
}

func ed25519PEM(t *testing.T) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return pkcs8(t, private, err)
}

func p256PEM(t *testing.T) []byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return pkcs8(t, private, err)
}

func pkcs8(t *testing.T, private crypto.PrivateKey, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// preset returns a preset by its name.
func preset(t *testing.T, name string) *v1alpha1.WebhookProvider {
	t.Helper()
	object, err := provider.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// presets returns all presets.
func presets(t *testing.T) []*v1alpha1.WebhookProvider {
	t.Helper()
	all, err := provider.Presets()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d presets are embedded: %v", len(all), err)
	}
	return all
}

// times are when the tests' requests are signed.
var times = []time.Time{
	time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(2031, 12, 31, 23, 59, 59, 999e6, time.FixedZone("", 5*3600+1800)),
	time.Unix(1, 0),
}

// world is a preset, a scheme of it, and an example that the scheme accepts.
type world struct {
	provider *v1alpha1.WebhookProvider
	verifier *verify.Verifier
	scheme   *v1alpha1.SignatureScheme
	example  *v1alpha1.ProviderTest
	key      []byte // private
	secret   secret.Value
}

// worlds calls test for each scheme of each preset and each example of it.
func worlds(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, object := range presets(t) {
		sender := provider.Compile(object)
		if sender.Problem != "" {
			t.Fatal(sender.Problem)
		}
		for i := range object.Spec.Verify {
			scheme := &object.Spec.Verify[i]
			var key []byte
			if generate := privateKeys[object.Name+"/"+scheme.Name]; generate != nil {
				key = generate(t)
			}
			for j := range object.Spec.Tests {
				example := &object.Spec.Tests[j]
				if example.Expect.Scheme != scheme.Name {
					continue
				}
				t.Run(object.Name+"/"+scheme.Name+"/"+example.Name, func(t *testing.T) {
					test(t, &world{provider: object, verifier: sender.Verifier, scheme: scheme, example: example, key: key, secret: secretOf(t, sender.Verifier, example, key)})
				})
			}
		}
	}
}

// secretOf is what the endpoint's Secret holds.
func secretOf(t *testing.T, verifier *verify.Verifier, example *v1alpha1.ProviderTest, key []byte) secret.Value {
	t.Helper()
	if key == nil {
		return secret.New([]byte(example.Secret))
	}
	private, err := keymaterial.ParsePrivate(key)
	if err != nil {
		t.Fatal(err)
	}
	spellings, err := keymaterial.PublicSpellings(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, spelling := range spellings {
		if value := secret.New([]byte(spelling)); verifier.CheckKey(value) == nil {
			return value
		}
	}
	t.Fatal("the provider reads no spelling of the public key")
	return secret.Value{}
}

// options send the example again, to an endpoint that was given its parameters.
func (w *world) options(t *testing.T, now time.Time) send.Options {
	t.Helper()
	endpoint := &v1alpha1.WebhookEndpoint{Spec: v1alpha1.WebhookEndpointSpec{Parameters: w.example.Parameters}}
	endpoint.Status.URL, _, _ = strings.Cut(w.example.Request.URL, "?")
	_, query, _ := strings.Cut(w.example.Request.URL, "?")
	header := http.Header{}
	for _, field := range w.example.Request.Headers {
		header.Add(field.Name, field.Value)
	}
	body, err := w.example.Request.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return send.Options{
		Provider: w.provider, Endpoint: endpoint, URL: "http://127.0.0.1:8080/x?" + query,
		Secret: w.secret, PrivateKey: w.key, Scheme: w.scheme.Name, Body: body, Headers: header, Now: now,
	}
}

// receive takes the steps of a receiver that holds only public keys.
func (w *world) receive(r send.Request, now time.Time) (verify.Verdict, verify.Identification, error) {
	material := &verify.Material{Secrets: []secret.Value{w.secret}, Parameters: verify.Parameters{}}
	for _, parameter := range w.example.Parameters {
		for _, value := range parameter.Values {
			material.Parameters[parameter.Name] = append(material.Parameters[parameter.Name], secret.New([]byte(value)))
		}
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return verify.Verdict{}, verify.Identification{}, err
	}
	public, _, _ := strings.Cut(w.example.Request.URL, "?")
	if public != "" && u.RawQuery != "" {
		public += "?" + u.RawQuery
	}
	in := &verify.Request{Method: r.Method, URL: public, Header: r.Header, RawQuery: u.RawQuery, Body: r.Body}
	verdict, err := w.verifier.Verify(in, material, now)
	if err != nil {
		return verdict, verify.Identification{}, err
	}
	event, err := w.verifier.Identify(in, verdict)
	return verdict, event, err
}

// TestPresetsAreAccepted: what is signed by whichever scheme of whichever preset,
// its verifier accepts.
func TestPresetsAreAccepted(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		for _, now := range times {
			built, err := send.Build(w.options(t, now))
			if reason, ok := unsignable[w.provider.Name+"/"+w.scheme.Name]; ok {
				if !errors.Is(err, verify.ErrCannotSign) || !strings.Contains(err.Error(), reason) {
					t.Fatalf("the error is %v: it should say %q", err, reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			verdict, event, err := w.receive(built, now)
			if err != nil {
				t.Fatalf("at %s: %v", now, err)
			}
			if verdict.Scheme != w.scheme.Name || built.Scheme != w.scheme.Name {
				t.Errorf("it is accepted by the scheme %s, and Build says %s", verdict.Scheme, built.Scheme)
			}
			if event.ID != built.EventID || event.Type != built.EventType || event.Type != w.example.Expect.Type {
				t.Errorf("the event is %v, and Build says %s %s", event, built.EventID, built.EventType)
			}
		}
	})
}

// TestPresetsNoticeChanges: no byte of a body that is signed can be another.
func TestPresetsNoticeChanges(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		unsigned := func(gap string) bool {
			return strings.HasPrefix(strings.TrimPrefix(gap, w.scheme.Name+": "), "the body")
		}
		if unsignable[w.provider.Name+"/"+w.scheme.Name] != "" || slices.ContainsFunc(w.verifier.Unauthenticated(), unsigned) {
			return
		}
		built, err := send.Build(w.options(t, times[0]))
		if err != nil {
			t.Fatal(err)
		}
		genuine := built.Body
		for i := range genuine {
			built.Body = bytes.Clone(genuine)
			built.Body[i] ^= 1
			if _, _, err := w.receive(built, times[0]); err == nil {
				t.Fatalf("byte %d can be changed", i)
			}
		}
	})
}

// TestTablesNameSchemes: what the tables say is said of schemes that there are.
func TestTablesNameSchemes(t *testing.T) {
	known := map[string]bool{}
	for _, object := range presets(t) {
		known[object.Name] = true
		for _, scheme := range object.Spec.Verify {
			known[object.Name+"/"+scheme.Name] = true
		}
	}
	for _, entry := range slices.Concat(slices.Collect(maps.Keys(unsignable)), slices.Collect(maps.Keys(privateKeys)), unnumbered) {
		if !known[entry] {
			t.Errorf("there is no %s", entry)
		}
	}
}
