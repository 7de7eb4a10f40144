package verify

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// genuine is a request that verifies, from which mutants are made.
type genuine struct {
	provider  Provider
	key       string
	request   func() *Request
	signature string // header
	timestamp string // header; empty: in the signature, or none
}

const testBody = `{"id":"ev_1","type":"demo.created"}`

// shapes is one genuine request for each shape of a signature.
func shapes() map[string]genuine {
	hexOf := func(message string) string { return hex.EncodeToString(hmacOf(testSecret, message)) }
	standard := "v1," + base64.StdEncoding.EncodeToString(hmacOf(testSecret, "msg_1.1700000000."+testBody))
	user := "user:" + testSecret
	return map[string]genuine{
		"prefix": {provider: githubLike, key: testSecret, signature: "X-Hub-Signature-256", request: func() *Request {
			return post(testBody, "X-Hub-Signature-256", "sha256="+hexOf(testBody), "X-GitHub-Delivery", "1")
		}},
		"keyValue": {provider: stripeLike, key: testSecret, signature: "Stripe-Signature", request: func() *Request {
			return post(testBody, "Stripe-Signature", "t=1700000000,v1="+hexOf("1700000000."+testBody))
		}},
		"list": {
			provider: standardLike, key: "whsec_" + base64.StdEncoding.EncodeToString([]byte(testSecret)),
			signature: "Webhook-Signature", timestamp: "Webhook-Timestamp",
			request: func() *Request {
				return post(testBody, "webhook-id", "msg_1", "webhook-timestamp", "1700000000", "webhook-signature", standard)
			},
		},
		"token": {provider: tokenLike, key: testSecret, signature: "Authorization", request: func() *Request {
			return post(testBody, "Authorization", "Bearer "+testSecret)
		}},
		"basic": {provider: basicLike, key: user, signature: "Authorization", request: func() *Request {
			return post(testBody, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
		}},
	}
}

func (g genuine) verify(t *testing.T, r *Request, key string) error {
	t.Helper()
	_, err := compiledProvider(t, g.provider).Verify(r, keysOf(key), now)
	return err
}

// signs reports whether the shape signs anything.
func (g genuine) signs() bool { return !g.provider.Schemes[0].Algorithm.credential() }

// TestMutants: of a genuine request no bit can be changed that is signed, and
// nothing can be added that leaves a choice.
func TestMutants(t *testing.T) {
	for name, g := range shapes() {
		t.Run(name, func(t *testing.T) {
			if err := g.verify(t, g.request(), g.key); err != nil {
				t.Fatalf("the genuine request is rejected: %v", err)
			}
			t.Run("body", g.flipBody)
			t.Run("signature", g.flipSignature)
			t.Run("key", g.flipKey)
			t.Run("header", g.spoilHeader)
			t.Run("timestamp", g.flipTimestamp)
		})
	}
}

// flipBody flips each bit of the body.
func (g genuine) flipBody(t *testing.T) {
	for i := range len(testBody) * 8 {
		r := g.request()
		r.Body[i/8] ^= 1 << (i % 8)
		if err := g.verify(t, r, g.key); (err == nil) == g.signs() {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
}

// flipSignature flips each bit of the header with the signature. A mutant may be
// another spelling of the same signature, which is no forgery.
func (g genuine) flipSignature(t *testing.T) {
	original := g.request().Header.Get(g.signature)
	for i := range len(original) * 8 {
		mutant := []byte(original)
		mutant[i/8] ^= 1 << (i % 8)
		r := g.request()
		r.Header[g.signature] = []string{string(mutant)}
		if err := g.verify(t, r, g.key); err == nil && !strings.EqualFold(string(mutant), original) {
			t.Fatalf("bit %d: %q is accepted in the place of %q", i, mutant, original)
		}
	}
}

// flipKey flips each bit of the key.
func (g genuine) flipKey(t *testing.T) {
	for i := range len(g.key) * 8 {
		mutant := []byte(g.key)
		mutant[i/8] ^= 1 << (i % 8)
		if err := g.verify(t, g.request(), string(mutant)); err == nil {
			t.Fatalf("bit %d of the key makes no difference", i)
		}
	}
}

// spoilHeader takes the header away, empties, doubles and inflates it.
func (g genuine) spoilHeader(t *testing.T) {
	original := g.request().Header.Get(g.signature)
	for _, test := range []struct {
		name   string
		values []string
		want   Reason
	}{
		{"absent", nil, MissingSignature},
		{"empty", []string{""}, MissingSignature},
		{"twice", []string{original, original}, DuplicateHeader},
		{"empty and good", []string{"", original}, DuplicateHeader},
		{"oversized", []string{original + strings.Repeat(" ", maxSignature)}, MalformedSignature},
		{"rubbish", []string{"\x00"}, MalformedSignature},
	} {
		r := g.request()
		r.Header[g.signature] = test.values
		if got := reasonOf(t, g.verify(t, r, g.key)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// flipTimestamp changes the time, in the header or inside the signature.
func (g genuine) flipTimestamp(t *testing.T) {
	header := g.timestamp
	if header == "" {
		header = g.signature
	}
	original := g.request().Header.Get(header)
	if !strings.Contains(original, "1700000000") {
		return // this shape has none
	}
	for digit := range 10 {
		mutant := []byte(original)
		at := strings.Index(original, "1700000000") + digit
		mutant[at] = '0' + (mutant[at]-'0'+1)%10
		r := g.request()
		r.Header[header] = []string{string(mutant)}
		if got := reasonOf(t, g.verify(t, r, g.key)); got != WrongSignature {
			t.Errorf("digit %d: %q, want %q", digit, got, WrongSignature)
		}
	}
}

// TestSecondSignature: during a rotation senders put a good signature beside one
// that we can't check. One is enough, wherever it stands.
func TestSecondSignature(t *testing.T) {
	good := hex.EncodeToString(hmacOf(testSecret, "1700000000."+testBody))
	wrong := strings.Repeat("ab", 32)
	for name, test := range map[string]struct {
		signatures []string
		want       Reason
	}{
		"good first":       {[]string{good, wrong}, ""},
		"good last":        {[]string{wrong, good}, ""},
		"malformed first":  {[]string{"zz", good}, ""},
		"empty first":      {[]string{"", good}, ""},
		"both wrong":       {[]string{wrong, wrong}, WrongSignature},
		"wrong, malformed": {[]string{wrong, "zz"}, WrongSignature},
		"all malformed":    {[]string{"zz", ""}, MalformedSignature},
		"at the bound":     {append(repeat(wrong, maxCandidates-1), good), ""},
		"over the bound":   {append(repeat(wrong, maxCandidates), good), MalformedSignature},
	} {
		t.Run(name, func(t *testing.T) {
			header := "t=1700000000,v1=" + strings.Join(test.signatures, ",v1=")
			_, err := compiledProvider(t, stripeLike).Verify(post(testBody, "Stripe-Signature", header), keysOf(testSecret), now)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func repeat(text string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = text
	}
	return list
}

// TestKeys: every key is tried, the index of the one that matched is told, and
// keys that can't be used are no obstacle.
func TestKeys(t *testing.T) {
	standard := shapes()["list"]
	for name, test := range map[string]struct {
		keys  []string
		index int
		want  Reason
	}{
		"only":            {[]string{standard.key}, 0, ""},
		"newer beside it": {[]string{"whsec_bmV3ZXI=", standard.key}, 1, ""},
		"same twice":      {[]string{standard.key, standard.key}, 0, ""},
		"one is no key":   {[]string{"not base64!", standard.key}, 1, ""},
		"all are no keys": {[]string{"not base64!", "", " \n", "whsec_"}, 0, NoUsableKey},
		"none":            {nil, 0, NoUsableKey},
		"none matches":    {[]string{"whsec_bmV3ZXI="}, 0, WrongSignature},
	} {
		t.Run(name, func(t *testing.T) {
			verdict, err := compiledProvider(t, standard.provider).Verify(standard.request(), keysOf(test.keys...), now)
			if got := reasonOf(t, err); got != test.want || verdict.Key != test.index {
				t.Errorf("%q, key %d; want %q, key %d", got, verdict.Key, test.want, test.index)
			}
		})
	}
}

// TestEmptyKey: the signature that an empty key makes is never accepted.
func TestEmptyKey(t *testing.T) {
	r := post(testBody, "X-Hub-Signature-256", "sha256="+hex.EncodeToString(hmacOf("", testBody)))
	for _, key := range []string{"", " ", "\n"} {
		_, err := compiledProvider(t, githubLike).Verify(r, keysOf(key), now)
		if got := reasonOf(t, err); got != NoUsableKey {
			t.Errorf("key %q: %q, want %q", key, got, NoUsableKey)
		}
	}
}

// TestTolerance is about the edges of the time, on both sides.
func TestTolerance(t *testing.T) {
	standard := shapes()["list"]
	v := compiledProvider(t, standard.provider)
	for offset, want := range map[time.Duration]Reason{
		0:                             "",
		300 * time.Second:             "",
		-300 * time.Second:            "",
		300*time.Second + 1:           TimestampOutsideTolerance,
		-300*time.Second - 1:          TimestampOutsideTolerance,
		1 << 62:                       TimestampOutsideTolerance,
		-1 << 62:                      TimestampOutsideTolerance,
		time.Duration(-1) * 1e9 * 1e9: TimestampOutsideTolerance,
	} {
		_, err := v.Verify(standard.request(), keysOf(standard.key), now.Add(offset))
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %q, want %q", offset, got, want)
		}
	}
}

// TestToleranceAfterSignature: somebody who can't sign learns nothing of our clock.
func TestToleranceAfterSignature(t *testing.T) {
	standard := shapes()["list"]
	_, err := compiledProvider(t, standard.provider).Verify(standard.request(), keysOf("whsec_bmV3ZXI="), now.Add(time.Hour))
	if got := reasonOf(t, err); got != WrongSignature {
		t.Errorf("%q, want %q", got, WrongSignature)
	}
}

// TestRejectionsKeepSecrets: what is said to the sender contains nothing of the
// secret, of signatures and of the body.
func TestRejectionsKeepSecrets(t *testing.T) {
	for name, g := range shapes() {
		r := g.request()
		signature := r.Header.Get(g.signature)
		r.Body = append(r.Body, "body-of-the-sender"...)
		for _, err := range []error{
			g.verify(t, r, g.key+"x"), g.verify(t, r, "secret-of-the-user"),
			compiledProvider(t, g.provider).CheckKey(keysOf("\xffsecret-of-the-user").Secrets[0]),
		} {
			for _, private := range []string{g.key, signature, "body-of-the-sender", "secret-of-the-user"} {
				if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), private) {
					t.Errorf("%s: %v contains %q", name, err, private)
				}
			}
		}
	}
}

// TestSchemeOrder: where the signature of an earlier scheme is present, no later
// one judges, however good its credential is.
func TestSchemeOrder(t *testing.T) {
	both := Provider{Name: "both", Schemes: []Scheme{standardLike.Schemes[0], tokenLike.Schemes[0]}, Identity: standardLike.Identity}
	key := shapes()["list"].key
	for name, test := range map[string]struct {
		header func(http.Header)
		want   Reason
		scheme string
	}{
		"both good":          {func(http.Header) {}, "", "v1"},
		"first spoilt":       {func(h http.Header) { h.Set("Webhook-Signature", "v1,AAAA") }, WrongSignature, ""},
		"first malformed":    {func(h http.Header) { h.Set("Webhook-Signature", "?") }, MalformedSignature, ""},
		"first empty":        {func(h http.Header) { h.Set("Webhook-Signature", "") }, "", "bearer"},
		"first absent":       {func(h http.Header) { h.Del("Webhook-Signature") }, "", "bearer"},
		"first is twice":     {func(h http.Header) { h.Add("Webhook-Signature", "") }, DuplicateHeader, ""},
		"first lacks its id": {func(h http.Header) { h.Del("Webhook-Id") }, MissingID, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := shapes()["list"].request()
			r.Header.Set("Authorization", "Bearer "+key)
			test.header(r.Header)
			verdict, err := compiledProvider(t, both).Verify(r, keysOf(key), now)
			if got := reasonOf(t, err); got != test.want || verdict.Scheme != test.scheme {
				t.Errorf("%q by %q, want %q by %q", got, verdict.Scheme, test.want, test.scheme)
			}
		})
	}
}

// TestConcurrentUse: a verifier serves all requests of an endpoint at once. It
// is for the race detector.
func TestConcurrentUse(t *testing.T) {
	for name, g := range shapes() {
		v := compiledProvider(t, g.provider)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				r := g.request()
				verdict, err := v.Verify(r, keysOf(g.key), now)
				if err == nil {
					_, err = v.Identify(r, verdict)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		group.Wait()
	}
}
