package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
)

// formats are signatures of every grammar.
var formats = map[string]Signature{
	"plain":           {},
	"prefix":          {Prefix: "sha256="},
	"optional prefix": {Prefix: "sha256=", PrefixOptional: true},
	"list":            {List: &List{Separator: " ", Prefix: "v1,"}},
	"bare list":       {List: &List{Separator: ","}},
	"key and value":   {KeyValue: &KeyValue{Separator: ",", Equals: "=", SignatureKey: "v1"}},
	"timestamp":       {KeyValue: &KeyValue{Separator: ";", Equals: ":", SignatureKey: "v1", TimestampKey: "t"}},
	"pairs":           {Pairs: &Pairs{Separator: "&", Equals: "|"}},
}

// TestSignIsTheInverseOfVerify: in every grammar, encoding and place, and by
// every algorithm with a shared secret.
func TestSignIsTheInverseOfVerify(t *testing.T) {
	places := []Location{{Header: "X-Sign"}, {Query: "sign"}, {Form: "sign"}, {JSON: "/a/0/sign"}}
	for name, format := range formats {
		for _, encoding := range []Encoding{Hex, Base64, Base64URL} {
			for _, at := range places {
				for _, algorithm := range []Algorithm{HMACSHA1, HMACSHA256, HMACSHA512, SHA256} {
					t.Run(fmt.Sprintf("%s/%s/%v/%s", name, encoding, at, algorithm), func(t *testing.T) {
						roundTrip(t, schemeOf(format, encoding, at, algorithm))
					})
				}
			}
		}
	}
}

// schemeOf signs as much of the body as the place of the signature leaves.
func schemeOf(format Signature, encoding Encoding, at Location, algorithm Algorithm) Scheme {
	format.From, format.Encoding = []Location{at}, encoding
	s := Scheme{Name: "s", Algorithm: algorithm, Signature: format, Content: "{method}{header:X-Given}{timestamp}{body}{id}"}
	s.ID = &Location{Header: "X-Id"}
	s.Timestamp = &Timestamp{Unit: Milliseconds, ToleranceSeconds: 1}
	if format.KeyValue == nil || format.KeyValue.TimestampKey == "" {
		s.Timestamp.From = &Location{Header: "X-Time"}
	}
	if at.Form != "" || at.JSON != "" {
		s.Content, s.BodyUnsigned = "{method}{header:X-Given}{timestamp}{id}", true
	}
	if algorithm == SHA256 {
		s.Content = "{secret}" + s.Content
	}
	return s
}

// roundTrip signs and verifies.
func roundTrip(t *testing.T, s Scheme) {
	t.Helper()
	v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{s}, Identity: Identity{ID: []string{"{id}"}, Type: []string{"{header:X-Type}"}}})
	r := post(`{"a":[{}]}`, "X-Given", "given", "X-Sign", "stale")
	if s.Signature.From[0].Form != "" {
		r = post("b=1", "X-Given", "given", "Content-Type", formType)
	}
	r.URL, r.RawQuery = "https://hooks.example.com/x?q=1", "q=1"
	signed, err := v.Sign(r, keysOf("key:secret"), SignOptions{Now: now, FreshID: "id-1", EventType: "kind"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Signed{Scheme: "s", Event: identified("id-1", "kind")}, signed); diff != "" {
		t.Error(diff)
	}
	if _, err := v.Verify(r, keysOf("another", "key:secret"), now.Add(999*time.Millisecond)); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(r, keysOf("key:secreT"), now); reasonOf(t, err) != WrongSignature {
		t.Errorf("another secret: %v", err)
	}
	if _, err := v.Verify(r, keysOf("key:secret"), now.Add(2*time.Second)); reasonOf(t, err) != TimestampOutsideTolerance {
		t.Errorf("later: %v", err)
	}
}

// TestSignWritesEveryVariable: whatever stands in the content can be signed.
func TestSignWritesEveryVariable(t *testing.T) {
	v := compiledProvider(t, Provider{
		Name: "p",
		Schemes: []Scheme{{
			Name: "s", Algorithm: HMACSHA256, URLForms: []URLForm{URLNoPort, URLAsGiven},
			Content: "{id}|{timestamp}|{method}|{url}|{request_uri}|{crc32}|{body_sha256}|{signed_headers}|{header:X-Digest}|" +
				"{query:q}|{json:/n}|{members:A,B}|{param:p}|{body}",
			Signature:     Signature{From: []Location{{Header: "X-Sign"}}, Encoding: Base64},
			KeyID:         &Location{JSON: "/key"},
			ID:            &Location{Query: "id"},
			Timestamp:     &Timestamp{From: &Location{JSON: "/time"}, Unit: Seconds, ToleranceSeconds: 1},
			BodyDigest:    &BodyDigest{From: Location{Header: "X-Digest"}, Encoding: Base64URL},
			SignedHeaders: &SignedHeaders{From: Location{Header: "X-Signed"}, Required: []string{"x-signed", "x-digest", "x-version"}},
			When:          []Condition{{Location: Location{Header: "X-Sign"}}, {Location: Location{Query: "v"}, Equals: "1"}},
			Require:       []Condition{{Location: Location{Header: "X-Version"}, Equals: "2"}, {Location: Location{JSON: "/topic"}, Parameter: "topics"}},
		}},
		Identity:   Identity{ID: []string{"{json:/source}#{json:/eventId}"}, Type: []string{"{query:type}"}},
		Parameters: []Parameter{{Name: "p", Required: true}, {Name: "topics", Required: true}},
	})
	m := keysOf("k1:secret")
	m.Parameters = Parameters{"p": {secret.New([]byte("value"))}, "topics": {secret.New([]byte("t1")), secret.New([]byte("t2"))}}
	r := post(`{"n":7,"A":"a","topic":"other","time":"1","source":"s","eventId":"old"}`, "X-Version", "1")
	r.URL, r.RawQuery = "https://hooks.example.com:8443/x?q=1&type=a%20b", "q=1&type=a%20b"
	signed, err := v.Sign(r, m, SignOptions{Now: now, EventID: "new", EventType: "kind"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(identified("s#new", "kind"), signed.Event); diff != "" {
		t.Error(diff)
	}
	if want := `{"n":7,"A":"a","topic":"t1","time":"1700000000","source":"s","eventId":"new","key":"k1"}`; string(r.Body) != want {
		t.Errorf("the body is %s", r.Body)
	}
	if want := "q=1&type=kind&v=1&id=new"; r.RawQuery != want || r.URL != "https://hooks.example.com:8443/x?"+want {
		t.Errorf("the query is %s, the URL %s", r.RawQuery, r.URL)
	}
	if want := "x-signed,x-digest,x-version"; r.Header.Get("X-Signed") != want || r.Header.Get("X-Version") != "2" {
		t.Errorf("the header is %v", r.Header)
	}
}

// publicSchemes are schemes with public keys, and who makes keys for them.
var publicSchemes = []struct {
	name     string
	scheme   Scheme
	generate func(*testing.T) (private crypto.Signer)
}{
	{"Ed25519", Scheme{Algorithm: Ed25519, Key: []string{"trim:whpk_", "base64"}}, newEd25519},
	{"Ed25519 as PEM", Scheme{Algorithm: Ed25519}, newEd25519},
	{"Ed25519 with ids", Scheme{Algorithm: Ed25519, Key: []string{"hex"}, KeyID: &Location{Header: "X-Key"}}, newEd25519},
	{"ECDSA", Scheme{Algorithm: ECDSAP256SHA256, Key: []string{"base64"}}, newP256},
	{"RSA-SHA1", Scheme{Algorithm: RSASHA1}, newRSA},
	{"RSA-SHA256", Scheme{Algorithm: RSASHA256, Key: []string{"nfkd"}}, newRSA},
	{"RS256", Scheme{Algorithm: JSONWebToken, JWT: &JWT{Algorithms: []string{"ES256", "RS256"}, MaxAgeSeconds: 1}}, newRSA},
	{"ES256", Scheme{Algorithm: JSONWebToken, JWT: &JWT{Algorithms: []string{"ES256", "RS256"}, MaxAgeSeconds: 1}}, newP256},
}

func newEd25519(t *testing.T) crypto.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return made(t, private, err)
}

func newP256(t *testing.T) crypto.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return made(t, private, err)
}

func newRSA(t *testing.T) crypto.Signer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	return made(t, private, err)
}

func made(t *testing.T, private crypto.Signer, err error) crypto.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// privatePEM writes a private key as PKCS #8.
func privatePEM(t *testing.T, private crypto.Signer) secret.Value {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// publicProvider has one scheme with public keys.
func publicProvider(s Scheme) Provider {
	s.Name, s.Signature = "s", Signature{From: []Location{{Header: "X-Sign"}}, Encoding: Base64}
	if s.Algorithm == JSONWebToken {
		s.Signature.Encoding, s.Signature.Prefix = Text, "Bearer "
		s.BodyDigest = &BodyDigest{From: Location{Claim: "/digest/sha256"}, Encoding: Hex}
		s.JWT.Claims = []Claim{{Claim: "/aud", Values: []string{"us"}}}
		return Provider{Name: "p", Schemes: []Scheme{s}, Identity: Identity{ID: []string{"{claim:/jti}"}}}
	}
	s.Content = "{body}"
	return Provider{Name: "p", Schemes: []Scheme{s}, Identity: Identity{ID: []string{"{header:X-Id}"}}}
}

// publicSecret is what the endpoint's Secret holds of a private key.
func publicSecret(t *testing.T, v *Verifier, private secret.Value) secret.Value {
	t.Helper()
	made, err := v.schemes[0].privateSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return made.public
}

// TestSignWithPrivateKeys: what a private key signs, the public key verifies, and
// the same is signed each time.
func TestSignWithPrivateKeys(t *testing.T) {
	for _, test := range publicSchemes {
		t.Run(test.name, func(t *testing.T) {
			v := compiledProvider(t, publicProvider(test.scheme))
			private := privatePEM(t, test.generate(t))
			public := publicSecret(t, v, private)
			if err := v.CheckKey(public); err != nil || bytes.Contains(public.Reveal(), []byte("PRIVATE")) {
				t.Fatalf("the public key can't be used: %v", err)
			}
			o := SignOptions{Now: now, EventID: "id-1", PrivateKey: private}
			first, second := post(`{"n":1}`), post(`{"n":1}`)
			for _, r := range []*Request{first, second} {
				if signed, err := v.Sign(r, &Material{}, o); err != nil || signed.Event.ID != "id-1" {
					t.Fatalf("it says %v, %v", signed, err)
				}
				if _, err := v.Verify(r, &Material{Secrets: []secret.Value{public}}, now); err != nil {
					t.Fatal(err)
				}
			}
			if !cmp.Equal(first.Header, second.Header) {
				t.Errorf("twice the same request is signed as %v and %v", first.Header, second.Header)
			}
			other := publicSecret(t, v, privatePEM(t, test.generate(t)))
			_, err := v.Sign(post("{}"), &Material{Secrets: []secret.Value{other}}, o)
			if !errors.Is(err, ErrNeedsPrivateKey) || !strings.Contains(err.Error(), "verifies with another public key") {
				t.Errorf("with the key of somebody else: %v", err)
			}
		})
	}
}

// TestSignNamesTheKeyOfASet: where the endpoint holds a JWK Set, a token says by
// which of its keys it is signed.
func TestSignNamesTheKeyOfASet(t *testing.T) {
	private := newP256(t)
	x, y := coordinates(t, private)
	set := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"key-7","x":%q,"y":%q}]}`, x, y)
	v := compiledProvider(t, publicProvider(Scheme{Algorithm: JSONWebToken, JWT: &JWT{Algorithms: []string{"ES256"}}}))
	r := post("{}")
	if _, err := v.Sign(r, keysOf(set), SignOptions{Now: now, EventID: "i", PrivateKey: privatePEM(t, private)}); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("X-Sign"), "Bearer "), ".")
	if text, err := Base64URL.decode(head); err != nil || string(text) != `{"alg":"ES256","typ":"JWT","kid":"key-7"}` {
		t.Errorf("the head of the token is %s, %v", text, err)
	}
}

// coordinates are those of a P-256 public key, as in a JWK (RFC 7518 §6.2.1).
func coordinates(t *testing.T, private crypto.Signer) (x, y string) {
	t.Helper()
	public, ok := private.Public().(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("the key is a %T", private)
	}
	point, err := public.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return Base64URL.encode(point[1:33]), Base64URL.encode(point[33:])
}

// TestSignChoosesTheScheme: the first that can be signed with, or the one whose
// signature is there.
func TestSignChoosesTheScheme(t *testing.T) {
	p := Provider{
		Name: "p",
		Schemes: []Scheme{
			{Name: "form", MediaType: formType, Algorithm: HMACSHA256, Content: "{form:payload}", Signature: Signature{From: []Location{{Header: "X-Form"}}, Encoding: Hex}},
			{Name: "base64", Algorithm: HMACSHA256, Key: []string{"base64"}, Content: "{body}", Signature: Signature{From: []Location{{Header: "X-Mac"}}, Encoding: Hex}},
			{Name: "token", Algorithm: Token, Signature: Signature{From: []Location{{Header: "X-Token"}}, Encoding: Text}},
			{Name: "member", Algorithm: Token, Signature: Signature{From: []Location{{JSON: "/token"}}, Encoding: Text}},
		},
		Identity: Identity{ID: []string{"{signed_sha256}"}},
	}
	v := compiledProvider(t, p)
	for _, test := range []struct {
		name, key, scheme, want string
		request                 *Request
	}{
		{"a form", "k!", "", "form", post("payload=1", "Content-Type", formType)},
		{"a fitting secret", "c2VjcmV0", "", "base64", post("{}", "Content-Type", "application/json")},
		{"a secret that only fits later", "k!", "", "token", post("{}", "Content-Type", "application/json")},
		{"what is there", "c2VjcmV0", "", "token", post("{}", "Content-Type", "application/json", "X-Token", "old")},
		{"what is there in the body", "c2VjcmV0", "", "member", post(`{"token":"old"}`, "Content-Type", "application/json")},
		{"what is asked for", "c2VjcmV0", "member", "member", post("{}", "Content-Type", "application/json", "X-Token", "old")},
	} {
		signed, err := v.Sign(test.request, keysOf(test.key), SignOptions{Now: now, Scheme: test.scheme})
		if err != nil || signed.Scheme != test.want {
			t.Errorf("%s: it is signed by %s, %v", test.name, signed.Scheme, err)
		}
	}
}

// TestSignLeavesNothingOfOtherSchemes: an id or a time of another scheme is not what
// this one has signed.
func TestSignLeavesNothingOfOtherSchemes(t *testing.T) {
	scheme := func(name, prefix string) Scheme {
		return Scheme{
			Name: name, Algorithm: HMACSHA256, Content: "{id}.{timestamp}.{body}",
			Signature: Signature{From: []Location{{Header: prefix + "-Signature"}}, Encoding: Hex},
			ID:        &Location{Header: prefix + "-Id"}, Timestamp: &Timestamp{From: &Location{Header: prefix + "-Time"}, Unit: Seconds, ToleranceSeconds: 1},
		}
	}
	first, second := scheme("first", "A"), scheme("second", "B")
	second.Require = []Condition{{Location: Location{Header: "A-Time"}}}
	for _, test := range []struct {
		scheme string
		gone   []string
		stays  []string
	}{
		{"first", []string{"B-Signature", "B-Id", "B-Time"}, []string{"A-Signature", "A-Id", "A-Time", "Other"}},
		// The second has a use for the time of the first, and the events for its id.
		{"second", []string{"A-Signature"}, []string{"A-Id", "A-Time", "B-Signature", "B-Id", "B-Time", "Other"}},
	} {
		identity := Identity{ID: []string{"{id}"}, Type: []string{"{header:A-Id}"}}
		v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{first, second}, Identity: identity})
		r := post("{}", "A-Signature", "1", "A-Id", "2", "A-Time", "3", "B-Signature", "4", "B-Id", "5", "B-Time", "6", "Other", "7")
		if _, err := v.Sign(r, keysOf("k"), SignOptions{Now: now, Scheme: test.scheme}); err != nil {
			t.Fatal(err)
		}
		for _, name := range test.gone {
			if value, ok := r.Header[name]; ok {
				t.Errorf("%s: header %s is still %v", test.scheme, name, value)
			}
		}
		for _, name := range test.stays {
			if len(r.Header[name]) == 0 {
				t.Errorf("%s: header %s is gone", test.scheme, name)
			}
		}
	}
}

// TestSignFails: with a sentence that says what to do, and the request as it was.
func TestSignFails(t *testing.T) {
	sign := Signature{From: []Location{{Header: "X-Sign"}}, Encoding: Hex}
	inBody := Signature{From: []Location{{JSON: "/sign"}}, Encoding: Hex}
	mac := func(s Scheme) Scheme {
		s.Name, s.Algorithm = "s", HMACSHA256
		if s.Content == "" {
			s.Content = "{body}"
		}
		if s.Signature.From == nil {
			s.Signature = sign
		}
		return s
	}
	for _, test := range []struct {
		name   string
		scheme Scheme
		body   string
		want   string
	}{
		{"a signature in what it signs", mac(Scheme{Signature: inBody}), "{}", "no signature matches"},
		{"a body that can't hold it", mac(Scheme{Signature: inBody, Content: "{method}", BodyUnsigned: true}), "text", "needs JSON member /sign: the body must be JSON"},
		{"a body without room for it", mac(Scheme{Signature: inBody, Content: "{json:/a}", BodyUnsigned: true}), "[]", "must have an object or an array"},
		{"an object in its place", mac(Scheme{Signature: inBody, Content: "{json:/a}", BodyUnsigned: true}), `{"sign":{}}`, "it must be a text"},
		{"a form that is none", mac(Scheme{Signature: Signature{From: []Location{{Form: "sign"}}, Encoding: Hex}, Content: "{form:a}"}), "{}", "the body must be a form"},
		{"a header that is signed and not there", mac(Scheme{Content: "{header:X-A}{body}"}), "{}", "header X-A is missing"},
		{"a pattern", mac(Scheme{Require: []Condition{{Location: Location{Header: "X-A"}, Pattern: "a+"}}}), "{}", "header X-A must match the regular expression ^(?:a+)$: set it"},
		{"a member that must not be there", mac(Scheme{Require: []Condition{{Location: Location{JSON: "/b"}, Absent: true}}}), `{"a":"1","b":null}`, "JSON member /b must not be there: take it out"},
		{"a value of another scheme", mac(Scheme{When: []Condition{{Location: Location{JSON: "/v"}, Equals: "1"}}}), `{"v":"2"}`, `JSON member /v must be "1"`},
		{"a media type", mac(Scheme{MediaType: "text/plain"}), "{}", "is for bodies of the type text/plain"},
		{"the URL", mac(Scheme{Content: "{url}{body}"}), "{}", "give the public URL"},
		{"an id", mac(Scheme{Content: "{id}{body}", ID: &Location{Header: "X-Id"}}), "{}", "give an event id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := compiledProvider(t, Provider{Name: "p", Schemes: []Scheme{test.scheme}, Identity: Identity{ID: []string{"{signed_sha256}"}}})
			r := post(test.body, "Content-Type", "application/json")
			before := r.clone()
			_, err := v.Sign(r, keysOf("a-secret"), SignOptions{Now: now})
			if !errors.Is(err, ErrCannotSign) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v: it should say %q", err, test.want)
			}
			if !cmp.Equal(before.Header, r.Header) || !bytes.Equal(before.Body, r.Body) {
				t.Errorf("the request has become %v %s", r.Header, r.Body)
			}
			if err != nil && strings.Contains(err.Error(), "a-secret") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// TestSignSaysWhoJudges: an earlier scheme whose signature is in the body can't
// be cleared away.
func TestSignSaysWhoJudges(t *testing.T) {
	v := compiledProvider(t, Provider{
		Name: "p",
		Schemes: []Scheme{
			{Name: "first", Algorithm: Token, Signature: Signature{From: []Location{{JSON: "/token"}}, Encoding: Text}},
			{Name: "second", Algorithm: Token, Signature: Signature{From: []Location{{Header: "X-Token"}}, Encoding: Text}},
		},
		Identity: Identity{ID: []string{"{body_sha256}"}},
	})
	_, err := v.Sign(post(`{"token":"k"}`), keysOf("k"), SignOptions{Now: now, Scheme: "second"})
	if err == nil || !strings.Contains(err.Error(), "but first, whose signature is in the body") {
		t.Errorf("the error is %v", err)
	}
}

// TestSignSaysWhatABodyIsFor: of two schemes with one place for the signature, the
// body says which one judges.
func TestSignSaysWhatABodyIsFor(t *testing.T) {
	sign := Signature{From: []Location{{Header: "X-Sign"}}, Encoding: Hex}
	v := compiledProvider(t, Provider{
		Name: "p",
		Schemes: []Scheme{
			{Name: "form", MediaType: formType, Algorithm: HMACSHA256, Content: "{form_sorted}", Signature: sign},
			{Name: "json", Algorithm: HMACSHA256, Content: "{body}", Signature: sign},
		},
		Identity: Identity{ID: []string{"{signed_sha256}"}},
	})
	_, err := v.Sign(post("a=1", "Content-Type", formType), keysOf("k"), SignOptions{Now: now, Scheme: "json"})
	if err == nil || !strings.Contains(err.Error(), "but form, which such a body is for") {
		t.Errorf("the error is %v", err)
	}
}

// TestPutEventID puts ids where the provider reads them.
func TestPutEventID(t *testing.T) {
	for _, test := range []struct {
		name, body, want string
		ids              []string
		put              bool
	}{
		{"a member", `{"id": "old", "n":1}`, `{"id": "new", "n":1}`, []string{"{json:/id}"}, true},
		{"a number", `{"id":5}`, `{"id":290486798}`, []string{"{json:/id}"}, true},
		{"the first of many", `[{"id":"a"},{"id":"b"}]`, `[{"id":"new"},{"id":"b"}]`, []string{"{json:/*/id}"}, true},
		{"a part", `{"id":"a","source":"s"}`, `{"id":"new","source":"s"}`, []string{"{json:/id}#{json:/source}"}, true},
		{"a part that lacks the other", `{"id":"a"}`, `{"id":"a"}`, []string{"{json:/id}#{json:/source}"}, false},
		{"the second template", `{"b":"1"}`, `{"b":"new"}`, []string{"{json:/a}", "{json:/b}"}, true},
		{"a missing member", `{"n":1}`, `{"n":1,"a":{"id":"new"}}`, []string{"{json:/a/id}"}, true},
		{"a member of a member", `{"p":"{\"id\":1}"}`, `{"p":"{\"id\":290486798}"}`, []string{"{json:/p|json:/id}"}, true},
		{"base64 of a member", `{"p":"eyJpZCI6IngifQ=="}`, `{"p":"eyJpZCI6Im5ldyJ9"}`, []string{"{json:/p|base64|json:/id}"}, true},
		{"nothing", `{}`, `{}`, []string{"{body_sha256}"}, false},
		{"no JSON", `text`, `text`, []string{"{json:/id}"}, false},
		{"a header that must not be there", `{}`, `{}`, []string{"{header:X-Banned}", "{body_sha256}"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := githubLike
			p.Schemes = slices.Clone(p.Schemes)
			p.Schemes[0].When = []Condition{{Location: Location{Header: "X-Banned"}, Absent: true}}
			p.Identity = Identity{ID: test.ids}
			r := post(test.body)
			if put := compiledProvider(t, p).PutEventID(r, "sha256", "new"); put != test.put || string(r.Body) != test.want {
				t.Errorf("it reports %v, the body is %s", put, r.Body)
			}
		})
	}
}

// TestSignDeclaresTheBody: what has no content type gets that of the scheme.
func TestSignDeclaresTheBody(t *testing.T) {
	form := githubLike
	form.Schemes = []Scheme{{
		Name: "form", MediaType: formType, Algorithm: HMACSHA256, Content: "{form_sorted}",
		Signature: Signature{From: []Location{{Header: "X-Sign"}}, Encoding: Hex},
	}}
	r := post("b=2&a=1")
	if _, err := compiledProvider(t, form).Sign(r, keysOf("k"), SignOptions{Now: now, FreshID: "i"}); err != nil || r.Header.Get("Content-Type") != formType {
		t.Errorf("the header is %v, %v", r.Header, err)
	}
	field := tokenLike
	field.Schemes = []Scheme{{Name: "field", Algorithm: Token, Signature: Signature{From: []Location{{Form: "token"}}, Encoding: Text}}}
	r = post("")
	if _, err := compiledProvider(t, field).Sign(r, keysOf("k&"), SignOptions{Now: now}); err != nil || string(r.Body) != "token=k%26" {
		t.Errorf("the body is %s, %v", r.Body, err)
	}
	member := tokenLike
	member.Schemes = []Scheme{{Name: "member", Algorithm: Token, Signature: Signature{From: []Location{{JSON: "/token"}}, Encoding: Text}}}
	r = post("")
	if _, err := compiledProvider(t, member).Sign(r, keysOf("k"), SignOptions{Now: now}); err != nil || string(r.Body) != `{"token":"k"}` {
		t.Errorf("the body is %s, %v", r.Body, err)
	}
}

// TestPutEventIDSplits: an id that is written like the template fills all of it.
func TestPutEventIDSplits(t *testing.T) {
	p := githubLike
	p.Identity = Identity{ID: []string{"{json:/source}#{json:/id}"}}
	v := compiledProvider(t, p)
	for id, want := range map[string]string{
		"a#b": `{"source":"a","id":"b"}`, "b": `{"source":"s","id":"b"}`, "#b": `{"source":"s","id":"#b"}`, "a#": `{"source":"s","id":"a#"}`,
	} {
		r := post(`{"source":"s","id":"i"}`)
		if put := v.PutEventID(r, "", id); !put || string(r.Body) != want {
			t.Errorf("%s: the body is %s", id, r.Body)
		}
	}
}

// TestSignCredentials: those who sign nothing send the secret.
func TestSignCredentials(t *testing.T) {
	for _, test := range []struct {
		provider  Provider
		key, want string
	}{
		{tokenLike, "t0ken", "Bearer t0ken"},
		{basicLike, "user:pass", "Basic dXNlcjpwYXNz"},
	} {
		r := &Request{Method: http.MethodPost}
		if _, err := compiledProvider(t, test.provider).Sign(r, keysOf(test.key), SignOptions{Now: now}); err != nil || r.Header.Get("Authorization") != test.want {
			t.Errorf("%s: the header is %v, %v", test.provider.Name, r.Header, err)
		}
	}
	_, err := compiledProvider(t, basicLike).Sign(post(""), keysOf("no-colon"), SignOptions{Now: now})
	if !errors.Is(err, ErrNeedsSecret) || !strings.Contains(err.Error(), "it must be written user:password") {
		t.Errorf("the error is %v", err)
	}
}
