package send_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/send"
	"sallyport.dev/sallyport/receiver/secret"
)

// options are those of a request to an endpoint of a preset.
func options(t *testing.T, name, key, body string) send.Options {
	t.Helper()
	return send.Options{
		Provider: preset(t, name), URL: "https://127.0.0.1:8443/shop/hook", Secret: secret.New([]byte(key)), Body: []byte(body), Now: times[0],
	}
}

func TestBuildSaysWhatToDo(t *testing.T) {
	for _, test := range []struct {
		name    string
		options func(*testing.T) send.Options
		want    string
	}{
		{"no secret", func(t *testing.T) send.Options { return options(t, "github", "", "{}") }, "GitHub signs with a secret, and there is none: name a Secret"},
		{"a secret that doesn't fit", func(t *testing.T) send.Options { return options(t, "openai", "whsec_!", "{}") }, "it must be base64"},
		{"no private key", func(t *testing.T) send.Options { return options(t, "discord", "", "{}") }, "pass the private key with --private-key"},
		{"a private key of another kind", func(t *testing.T) send.Options {
			o := options(t, "discord", "", "{}")
			o.PrivateKey = p256PEM(t)
			return o
		}, "it must be an Ed25519 public key"},
		{"no private key at all", func(t *testing.T) send.Options {
			o := options(t, "discord", "", "{}")
			o.PrivateKey = []byte("secret-text")
			return o
		}, "it must be a private key (RSA, P-256 or Ed25519) in PEM"},
		{"another private key than the Secret's", func(t *testing.T) send.Options {
			o := options(t, "discord", strings.Repeat("0a", 32), "{}")
			o.PrivateKey = ed25519PEM(t)
			return o
		}, "put that of the private key into the endpoint's Secret"},
		{"no public URL", func(t *testing.T) send.Options { return options(t, "square", "k", `{"event_id":"1"}`) }, "or pass --public-url"},
		{"a status with only a path", func(t *testing.T) send.Options {
			o := options(t, "square", "k", `{"event_id":"1"}`)
			o.Endpoint = &v1alpha1.WebhookEndpoint{Status: v1alpha1.WebhookEndpointStatus{URL: "/shop/square"}}
			return o
		}, "or pass --public-url"},
		{"no such scheme", func(t *testing.T) send.Options {
			o := options(t, "gitlab", "k", "{}")
			o.Scheme = "v9"
			return o
		}, "there are signing-token, secret-token"},
		{"no URL", func(t *testing.T) send.Options {
			o := options(t, "github", "k", "{}")
			o.URL = "hooks"
			return o
		}, "give it as https://host/path"},
		{"an empty list of secrets", func(t *testing.T) send.Options { return options(t, "github", "[]", "{}") }, "there must be from 1 to 8"},
		{"no choice of an id", func(t *testing.T) send.Options {
			o := options(t, "alertmanager", "k", "{}")
			o.EventID = "mine"
			return o
		}, "the provider makes it of {body_sha256}"},
		{"no choice of a type", func(t *testing.T) send.Options {
			o := options(t, "docker-hub", "k", "{}")
			o.EventType = "pull"
			return o
		}, "the provider makes it of a fixed text"},
		{"a parameter that is missing", func(t *testing.T) send.Options { return options(t, "monday", "k", "{}") }, "needs the parameter audience: set it in the endpoint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.options(t)
			_, err := send.Build(o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("the error is %v: it should say %q", err, test.want)
			}
			for _, text := range []string{"whsec_!", "secret-text"} {
				if strings.Contains(err.Error(), text) {
					t.Errorf("the error shows a secret: %v", err)
				}
			}
		})
	}
}

// TestBuildFillsIn: what nobody gave is made up, what was given is sent.
func TestBuildFillsIn(t *testing.T) {
	o := options(t, "github", "[\"new\",\"old\"]\n", `{"a": 1}`)
	o.Headers = http.Header{"x-extra": {"1"}}
	o.EventType = "push"
	r, err := send.Build(o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != http.MethodPost || r.URL != o.URL || string(r.Body) != `{"a": 1}` {
		t.Errorf("the request is %s %s %s", r.Method, r.URL, r.Body)
	}
	mac := hmac.New(sha256.New, []byte("new"))
	_, _ = mac.Write(r.Body)
	for name, want := range map[string]string{
		"X-Extra": "1", "Content-Type": "application/json", "X-Github-Event": "push", "X-Github-Delivery": r.EventID,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		if got := r.Header.Get(name); got != want || got == "" {
			t.Errorf("the header %s is %q", name, got)
		}
	}
	o.EventID = "mine"
	if r, err = send.Build(o); err != nil || r.EventID != "mine" {
		t.Errorf("the event is %s, %v", r.EventID, err)
	}
}

// TestBuildGuessesTheContentType: a form is sent as one.
func TestBuildGuessesTheContentType(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1}`: "application/json", "a=1&b=%20": "application/x-www-form-urlencoded", "<a b='c'/>": "", "": "",
	} {
		r, err := send.Build(options(t, "hmac-sha256", "k", body))
		if err != nil || r.Header.Get("Content-Type") != want {
			t.Errorf("%s is sent as %q, %v", body, r.Header.Get("Content-Type"), err)
		}
	}
}

// TestBuildPutsTheSignatureIntoTheQuery: beside what is there.
func TestBuildPutsTheSignatureIntoTheQuery(t *testing.T) {
	o := options(t, "docker-hub", "a&b", `{}`)
	o.URL = "https://h.example/x?a=1&token=old#fragment"
	r, err := send.Build(o)
	if err != nil || r.URL != "https://h.example/x?a=1&token=a%26b" {
		t.Errorf("the URL is %s, %v", r.URL, err)
	}
}
