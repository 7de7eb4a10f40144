package verify

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify/document"
)

// later is when a request is signed anew.
var later = now.Add(10*24*time.Hour + 1234*time.Millisecond)

// TestResignRenewsWhatAnySchemeSigned: in every grammar, encoding and place, and
// by every algorithm with a shared secret; by the newest secret.
func TestResignRenewsWhatAnySchemeSigned(t *testing.T) {
	places := []Location{{Header: "X-Sign"}, {Query: "sign"}, {Form: "sign"}, {JSON: "/a/0/sign"}}
	for name, format := range formats {
		for _, encoding := range []Encoding{Hex, Base64, Base64URL} {
			for _, at := range places {
				for _, algorithm := range []Algorithm{HMACSHA1, HMACSHA256, HMACSHA512, SHA256} {
					t.Run(fmt.Sprintf("%s/%s/%v/%s", name, encoding, at, algorithm), func(t *testing.T) {
						renewed(t, schemeOf(format, encoding, at, algorithm))
					})
				}
			}
		}
	}
}

// renewed signs a request, signs it anew much later with another secret, and
// verifies it with that one only.
func renewed(t *testing.T, s Scheme) {
	t.Helper()
	v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{s}, Identity: Identity{ID: []string{"{id}"}, Type: []string{"{header:X-Type}"}}})
	r := post(`{"a":[{}]}`, "X-Given", "given", "X-Sign", "stale", "X-Type", "paid", "X-Id", "evt_1")
	if s.Signature.From[0].Form != "" {
		r = post("b=1", "X-Given", "given", "Content-Type", formType, "X-Type", "paid", "X-Id", "evt_1")
	}
	keys := func(texts ...string) *Material {
		if s.Signature.Pairs != nil {
			for i := range texts {
				texts[i] = "id:" + texts[i]
			}
		}
		return keysOf(texts...)
	}
	if _, err := v.Sign(r, keys("old"), SignOptions{Now: now}); err != nil {
		t.Fatal(err)
	}
	header, body := r.Header, bytes.Clone(r.Body)
	before := header.Clone()
	if err := v.Resign(r, "s", keys("new", "old"), later); err != nil {
		t.Fatal(err)
	}
	verdict, err := v.Verify(r, keys("new"), later)
	if err != nil {
		t.Fatalf("%v in %v %s %s", err, r.Header, r.RawQuery, r.Body)
	}
	if event, err := v.Identify(r, verdict); err != nil || event.ID != "evt_1" || event.Type != "paid" {
		t.Errorf("the event is %+v, %v", event, err)
	}
	if diff := cmp.Diff(before, header); diff != "" {
		t.Errorf("the header that was there before has changed:\n%s", diff)
	}
	if at := s.Signature.From[0]; (at.Header != "" || at.Query != "") && !bytes.Equal(body, r.Body) {
		t.Errorf("the body has changed to %s", r.Body)
	}
}

// TestResignWritesAsTheSenderDoes: where other libraries read it.
func TestResignWritesAsTheSenderDoes(t *testing.T) {
	kv := func(change func(*Scheme)) Provider {
		p := stripeLike
		s := p.Schemes[0]
		s.Signature.KeyValue = new(*s.Signature.KeyValue)
		s.Timestamp = new(*s.Timestamp)
		change(&s)
		p.Schemes = []Scheme{s}
		return p
	}
	const body = `{"id":"1"}`
	mac := func(format string) string {
		return hexOf(hmacOf("key", fmt.Sprintf(format, later.Unix(), body)))
	}
	t.Run("items of others stay where they are", func(t *testing.T) {
		v := compiledProvider(t, kv(func(s *Scheme) { s.Signature.KeyValue.TrimSpace = true }))
		r := post(body, "Stripe-Signature", "k=9, t=1,v1=aa, v1=bb,v0=cc")
		if err := v.Resign(r, "v1", keysOf("key"), later); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("k=9, t=%d,v1=%s,v0=cc", later.Unix(), mac("%d.%s"))
		if got := r.Header.Get("Stripe-Signature"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("upper case", func(t *testing.T) {
		v := compiledProvider(t, githubLike)
		r := post(body, "X-Hub-Signature-256", "sha256=AB12", "X-Github-Delivery", "1")
		if err := v.Resign(r, "", keysOf("key"), later); err != nil {
			t.Fatal(err)
		}
		if got, want := r.Header.Get("X-Hub-Signature-256"), "sha256="+strings.ToUpper(hexOf(hmacOf("key", body))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a fraction of a second", func(t *testing.T) {
		p := githubLike
		s := p.Schemes[0]
		s.Content, s.Timestamp = "{timestamp}{body}", &Timestamp{From: &Location{Header: "X-Time"}, Unit: RFC3339}
		p.Schemes = []Scheme{s}
		v := compiledProvider(t, p)
		for old, want := range map[string]string{"2020-01-01T00:00:00.5Z": "2023-11-24T22:13:21.234Z", "2020-01-01T01:00:00+01:00": "2023-11-24T22:13:21Z"} {
			r := post(body, "X-Hub-Signature-256", "sha256=ab", "X-Github-Delivery", "1", "X-Time", old)
			if err := v.Resign(r, "", keysOf("key"), later); err != nil || r.Header.Get("X-Time") != want {
				t.Errorf("%s becomes %s, %v, want %s", old, r.Header.Get("X-Time"), err, want)
			}
		}
	})
	t.Run("a signature that is right already", func(t *testing.T) {
		v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{{
			Name: "s", Algorithm: HMACSHA256, Content: "{form:payload}", BodyUnsigned: false,
			Signature: Signature{From: []Location{{Form: "sign"}}, Pairs: &Pairs{Separator: "&", Equals: "|"}, Encoding: Hex},
		}}, Identity: Identity{ID: []string{"{signed_sha256}"}}})
		form := "payload=x&sign=other%7Caa%26me%7c" + hexOf(hmacOf("key", "x"))
		r := post(form, "Content-Type", formType)
		if err := v.Resign(r, "s", keysOf("me:key"), later); err != nil || string(r.Body) != form {
			t.Errorf("%s became %s, %v", form, r.Body, err)
		}
	})
}

// TestResignTakesTheSpellingOfTheSender where there is more than one.
func TestResignTakesTheSpellingOfTheSender(t *testing.T) {
	v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{{
		Name: "s", Algorithm: HMACSHA256, Content: "{url}{body}", AlternativeContent: []string{"{url}\n{body}"}, URLForms: []URLForm{URLAsGiven, URLDefaultPort},
		Signature: Signature{From: []Location{{Header: "X-Sign"}}, Encoding: Hex},
	}}, Identity: Identity{ID: []string{"{signed_sha256}"}}})
	for _, signed := range []string{"https://h.example/x?a=1b", "https://h.example:443/x?a=1b", "https://h.example/x?a=1\nb", "https://h.example:443/x?a=1\nb"} {
		r := post("b", "X-Sign", hexOf(hmacOf("old", signed)))
		r.URL, r.RawQuery = "https://h.example/x?a=1", "a=1"
		if err := v.Resign(r, "s", keysOf("new", "old"), later); err != nil || r.Header.Get("X-Sign") != hexOf(hmacOf("new", signed)) {
			t.Errorf("%q: %v", signed, err)
		}
	}
}

// TestResignTakesTheKeyThatTheRequestNames: secrets of several ids are valid at a
// time, and a handler looks one up by its id.
func TestResignTakesTheKeyThatTheRequestNames(t *testing.T) {
	s := githubLike.Schemes[0]
	s.KeyID = &Location{Header: "X-Key-Id"}
	v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{s}, Identity: githubLike.Identity})
	r := post("b", "X-Hub-Signature-256", "sha256=ab", "X-Key-Id", "second")
	if err := v.Resign(r, "", keysOf("first:1", "second:2", "second:3"), later); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Header.Get("X-Hub-Signature-256"), "sha256="+hexOf(hmacOf("2", "b")); got != want || r.Header.Get("X-Key-Id") != "second" {
		t.Errorf("got %s of %s", got, r.Header.Get("X-Key-Id"))
	}
}

// TestResignSignsByTheSchemeThatJudged and no stronger one: nobody has vouched for
// what that one signs.
func TestResignSignsByTheSchemeThatJudged(t *testing.T) {
	weak := Scheme{
		Name: "weak", Algorithm: HMACSHA256, Content: "{header:X-Id}", BodyUnsigned: true,
		Signature: Signature{From: []Location{{Header: "X-Weak"}}, Encoding: Hex},
	}
	v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{weak, githubLike.Schemes[0], tokenLike.Schemes[0]}, Identity: Identity{ID: []string{"{signed_sha256}"}}})
	for scheme, changed := range map[string]string{"weak": "X-Weak", "sha256": "X-Hub-Signature-256", "bearer": "", "": "X-Weak", "gone": "X-Weak"} {
		r := post("b", "X-Weak", "ab", "X-Id", "1", "X-Hub-Signature-256", "sha256=ab")
		before := r.Header
		if err := v.Resign(r, scheme, keysOf("key"), later); err != nil {
			t.Errorf("%q: %v", scheme, err)
		}
		for name := range before {
			if (before.Get(name) != r.Header.Get(name)) != (name == changed) {
				t.Errorf("%q: %s is %s and was %s", scheme, name, r.Header.Get(name), before.Get(name))
			}
		}
	}
}

func TestResignMovesTokensOn(t *testing.T) {
	v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{{
		Name: "jwt", Algorithm: JSONWebToken, JWT: &JWT{Algorithms: []string{"HS256"}, Claims: []Claim{{Claim: "/iss", Values: []string{"me"}}, {Claim: "/url_hash", URLDigest: Hex}}},
		Signature:  Signature{From: []Location{{Header: "Authorization"}}, Prefix: "Bearer ", Encoding: Text},
		BodyDigest: &BodyDigest{From: Location{Claim: "/payload_hash"}, Encoding: Hex},
	}}, Identity: Identity{ID: []string{"{claim:/jti}"}}})
	digest := func(text string) string {
		d := (&Request{Body: []byte(text)}).BodySHA256()
		return hexOf(d[:])
	}
	const address = "https://h.example/x?a=1"
	times := map[string]claims{
		"iat and exp": {"iat": fromNow(0), "exp": fromNow(60)}, "nbf": {"nbf": fromNow(0), "exp": fromNow(60)},
		"exp only": {"exp": fromNow(60)}, "fraction": {"iat": float64(fromNow(0)) + 0.5}, "none": {},
	}
	for name, claimed := range times {
		claimed["iss"], claimed["jti"], claimed["url_hash"], claimed["payload_hash"], claimed["extra"] = "me", "evt_1", digest(address), digest("b"), []int{1}
		r := post("b", "Authorization", "Bearer "+signedToken(t, "old", `{"alg":"HS256","kid":"k"}`, claimed))
		r.URL, r.RawQuery = address, "a=1"
		if err := v.Resign(r, "jwt", keysOf("new", "old"), later); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		verdict, err := v.Verify(r, keysOf("new"), later)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if event, err := v.Identify(r, verdict); err != nil || event.ID != "evt_1" {
			t.Errorf("%s: %+v, %v", name, event, err)
		}
		if expires, _ := numericDate(r.claims, "exp"); claimed["exp"] != nil && (expires.Before(later) || expires.After(later.Add(tokenLifetime+time.Second))) {
			t.Errorf("%s: it expires %s", name, expires)
		}
	}
}

func TestResignNeedsAKeyAndASignature(t *testing.T) {
	stale := func(name, value string) *Request { return post(`{"id":"1"}`, name, value) }
	ed := githubLike.Schemes[0]
	ed.Algorithm = Ed25519
	for _, test := range []struct {
		name     string
		provider Provider
		request  *Request
		material *Material
		want     error
	}{
		{"no secret", githubLike, stale("X-Hub-Signature-256", "sha256=ab"), &Material{}, ErrNeedsSecret},
		{"a secret that does not fit", standardLike, post("b", "Webhook-Signature", "v1,ab", "Webhook-Id", "1", "Webhook-Timestamp", "1"), keysOf("whsec_!"), ErrNeedsSecret},
		{"a public key", Provider{Name: "p", Schemes: []Scheme{ed}, Identity: githubLike.Identity}, stale("X-Hub-Signature-256", "sha256=ab"), keysOf("ab"), ErrNeedsPrivateKey},
		{"no signature", githubLike, stale("X-Other", "1"), keysOf("key"), ErrCannotSign},
		{"no timestamp", standardLike, post("b", "Webhook-Signature", "v1,ab", "Webhook-Id", "1"), keysOf("whsec_a2V5"), ErrCannotSign},
	} {
		if err := compiledProvider(t, test.provider).Resign(test.request, "", test.material, later); !errors.Is(err, test.want) || !errors.Is(err, ErrCannotSign) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	for name, r := range map[string]*Request{"kept": stale("Authorization", "Bearer key"), "taken out": stale("X-Other", "1")} {
		before := r.Header.Clone()
		if err := compiledProvider(t, tokenLike).Resign(r, "bearer", keysOf("key"), later); err != nil || !cmp.Equal(before, r.Header) {
			t.Errorf("a token that is %s: %v, %v", name, r.Header, err)
		}
	}
}

func TestResigns(t *testing.T) {
	ed := githubLike.Schemes[0]
	ed.Name, ed.Algorithm, ed.Signature.From = "ed", Ed25519, []Location{{Header: "X-Ed"}}
	loose := Scheme{
		Name: "loose", Algorithm: JSONWebToken, JWT: &JWT{Algorithms: []string{"HS256"}}, BodyUnsigned: true,
		Signature: Signature{From: []Location{{Header: "X-Token"}}, Encoding: Text},
	}
	for _, test := range []struct {
		schemes   []Scheme
		forwarded bool
		says      string
	}{
		{[]Scheme{githubLike.Schemes[0]}, false, ""},
		{[]Scheme{githubLike.Schemes[0], tokenLike.Schemes[0]}, false, ""},
		{[]Scheme{githubLike.Schemes[0], ed}, false, "private key"},
		{[]Scheme{tokenLike.Schemes[0]}, true, "signs nothing"},
		{[]Scheme{loose}, false, "Forward"},
		{[]Scheme{loose}, true, ""},
	} {
		err := compiledProvider(t, Provider{Name: "p", Schemes: test.schemes, Identity: Identity{ID: []string{"{signed_sha256}"}}}).Resigns(test.forwarded)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s…, forwarded %t: %v, want %q", test.schemes[0].Name, test.forwarded, err, test.says)
		}
	}
}

func TestCredentialQuery(t *testing.T) {
	p := Provider{
		Name: "p", Parameters: []Parameter{{Name: "state", Sensitive: true}, {Name: "account"}},
		Schemes: []Scheme{{
			Name: "token", Algorithm: Token, Signature: Signature{From: []Location{{Query: "token"}, {Header: "X-Token"}}, Encoding: Text},
			Require: []Condition{{Location: Location{Query: "state"}, Parameter: "state"}, {Location: Location{Query: "account"}, Parameter: "account"}},
		}, standardLike.Schemes[0]},
		Identity: tokenLike.Identity,
	}
	v := compiledProvider(t, p)
	if diff := cmp.Diff([]string{"state", "token"}, v.CredentialQuery()); diff != "" {
		t.Error(diff)
	}
	for query, want := range map[string]string{
		"":                                    "",
		"token=x":                             "",
		"b=2&&a=%31+x&token=x&tokens=1&a=%zz": "b=2&&a=%31+x&tokens=1&a=%zz",
		"tok%65n=x&token&state=1&account=2&":  "account=2&",
		"token=%zz&b":                         "b",
		"b=token=x&B=1":                       "b=token=x&B=1",
	} {
		if got := document.DropPairs(query, v.CredentialQuery()...); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
}

func TestHeaderID(t *testing.T) {
	for id, same := range map[string]bool{"evt_1": true, "a b": true, " a": false, "ä": false, strings.Repeat("x", 257): false} {
		if got := HeaderID(id); (got == id) != same || !same && !strings.HasPrefix(got, "sha256-") {
			t.Errorf("%q becomes %q", id, got)
		}
	}
}

// BenchmarkResign is what an attempt costs more than one without: what the HMAC of
// the body costs.
func BenchmarkResign(b *testing.B) {
	v := compiledProvider(b, stripeLike)
	m := &Material{Secrets: []secret.Value{secret.New([]byte("key"))}}
	body := bytes.Repeat([]byte("x"), 64<<10)
	header := http.Header{"Stripe-Signature": {"t=1,v1=ab"}, "Content-Type": {"application/json"}}
	for b.Loop() {
		r := &Request{Method: http.MethodPost, Header: header, Body: body}
		if err := v.Resign(r, "v1", m, later); err != nil {
			b.Fatal(err)
		}
	}
}
