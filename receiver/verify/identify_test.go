package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withIdentity is githubLike with other templates.
func withIdentity(id, kind []string) Provider {
	p := githubLike
	p.Identity = Identity{ID: id, Type: kind}
	return p
}

// digestOf is the id that stands for one which can't be written.
func digestOf(id string) string {
	digest := sha256.Sum256([]byte(id))
	return "sha256-" + hex.EncodeToString(digest[:])
}

// identified is an event of one type, or of none.
func identified(id, kind string) Identification {
	if kind == "" {
		return Identification{ID: id}
	}
	return Identification{ID: id, Type: kind, Types: []string{kind}}
}

func TestIdentify(t *testing.T) {
	const digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of "{}"
	both := []string{"{header:X-Id}", "{json:/a}:{json:/b}", "{body_sha256}"}
	kind := []string{"{header:X-Type}", "{json:/type}"}
	for name, test := range map[string]struct {
		id, kind []string
		request  *Request
		want     Identification
		reason   Reason
	}{
		"first":                   {both, kind, post("{}", "X-Id", "1", "X-Type", "t"), identified("1", "t"), ""},
		"second":                  {both, kind, post(`{"a":1,"b":false,"type":"t"}`), identified("1:false", "t"), ""},
		"half of the second":      {both, kind, post(`{}`), identified(digest, ""), ""},
		"empty counts as missing": {both, kind, post("{}", "X-Id", "", "X-Type", ""), identified(digest, ""), ""},
		"two ids":                 {both, kind, post("{}", "X-Id", "1", "X-Id", "1"), Identification{}, DuplicateHeader},
		"two types":               {both, kind, post("{}", "X-Id", "1", "X-Type", "1", "X-Type", "1"), Identification{}, DuplicateHeader},
		"no id":                   {both[:1], nil, post("{}"), Identification{}, MissingID},
		"no JSON":                 {both[:2], nil, post("{"), Identification{}, MalformedBody},
		"no JSON needed":          {both[:2], nil, post("{", "X-Id", "1"), identified("1", ""), ""},
		"JSON without it":         {both[1:2], nil, post("{}"), Identification{}, MissingID},
		"an object":               {[]string{"{json:/a}"}, nil, post(`{"a":{}}`), Identification{}, MissingID},
		"the longest":             {both, nil, post("{}", "X-Id", strings.Repeat("x", 256)), identified(strings.Repeat("x", 256), ""), ""},
		"too long":                {both, nil, post("{}", "X-Id", strings.Repeat("x", 257)), Identification{ID: digestOf(strings.Repeat("x", 257))}, ""},
		"control characters":      {[]string{"{json:/a}"}, nil, post(`{"a":"x\ny"}`), Identification{ID: digestOf("x\ny")}, ""},
		"no ASCII":                {both, nil, post("{}", "X-Id", "\xff"), Identification{ID: digestOf("\xff")}, ""},
		"a space inside":          {both, nil, post("{}", "X-Id", "a b"), Identification{ID: "a b"}, ""},
		"a space at the end":      {[]string{"{json:/a}"}, nil, post(`{"a":"x "}`), Identification{ID: digestOf("x ")}, ""},
		"its border in a value":   {both, nil, post(`{"a":"x:y","b":"z"}`), Identification{ID: "x%3Ay:z"}, ""},
		"the border behind it":    {both, nil, post(`{"a":"x","b":"y:z"}`), Identification{ID: "x:y:z"}, ""},
		"a percent sign":          {both, nil, post(`{"a":"x%3A","b":"z"}`), Identification{ID: "x%253A:z"}, ""},
		"what was signed":         {[]string{"{signed_sha256}"}, nil, post("{}"), Identification{ID: strings.Repeat("0", 64)}, ""},
		"a type that is none":     {both, kind, post(`{"type":"a\nb"}`, "X-Id", "1"), identified("1", ""), ""},
		"a constant type":         {both, []string{"push"}, post("{}", "X-Id", "1"), identified("1", "push"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := compiledProvider(t, withIdentity(test.id, test.kind)).Identify(test.request, Verdict{})
			if reason := reasonOf(t, err); reason != test.reason {
				t.Fatalf("%v, want %q", err, test.reason)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestIDOfTheScheme: {id} is what the judging scheme signed, whatever other
// headers say.
func TestIDOfTheScheme(t *testing.T) {
	g := shapes()["list"]
	g.provider.Identity.ID = []string{"{id}", "{header:X-Id}"}
	v := compiledProvider(t, g.provider)
	r := g.request()
	r.Header.Set("X-Id", "forged")
	verdict, err := v.Verify(r, keysOf(g.key), now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Identify(r, verdict)
	if diff := cmp.Diff(identified("msg_1", "demo.created"), got); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
}

// TestContentDigest: what replay protection remembers depends on the signed
// content and on nothing else.
func TestContentDigest(t *testing.T) {
	for name, g := range shapes() {
		digest := func(r *Request) [32]byte {
			verdict, err := compiledProvider(t, g.provider).Verify(r, keysOf(g.key), now)
			if err != nil {
				t.Fatal(err)
			}
			return verdict.ContentSHA256
		}
		first := digest(g.request())
		if again := digest(g.request()); first != again || first == [32]byte{} {
			t.Errorf("%s: equal requests have different digests, or none", name)
		}
		other := g.request()
		other.Header.Set("X-Not-Signed", "1")
		if digest(other) != first {
			t.Errorf("%s: what is not signed changes the digest", name)
		}
	}
}

// TestContentDigestHidesTheSecret: for the algorithm SHA256 the signed content
// starts with the secret, and its digest is the signature.
func TestContentDigestHidesTheSecret(t *testing.T) {
	p := Provider{Name: "p", Schemes: []Scheme{{
		Name: "v1", Algorithm: SHA256, Content: "{secret}{body}", Signature: Signature{From: []Location{{Header: "X-Sig"}}, Encoding: Hex},
	}}, Identity: tokenLike.Identity}
	signature := sha256.Sum256([]byte("keybody"))
	r := post("body", "X-Sig", hex.EncodeToString(signature[:]))
	verdict, err := compiledProvider(t, p).Verify(r, keysOf("key"), now)
	if err != nil || verdict.ContentSHA256 != r.BodySHA256() {
		t.Errorf("%v: the digest must be that of the content without the secret", err)
	}
}

// TestNoOtherIDForABodyThatCanNotBeRead: a header that nobody signs, which says that the
// body is encoded, must not make another event of it.
func TestNoOtherIDForABodyThatCanNotBeRead(t *testing.T) {
	const body = `{"id":"1"}`
	for name, test := range map[string]struct {
		ids  []string
		body string
		want Reason
	}{
		"in the body first": {[]string{"{json:/id}", "{body_sha256}"}, body, MalformedBody},
		"in the body later": {[]string{"{header:X-No}", "{json:/id}", "{body_sha256}"}, body, MalformedBody},
		"in a form":         {[]string{"{form:id}", "{signed_sha256}"}, body, MalformedBody},
		"in a header":       {[]string{"{header:X-Id}", "{json:/id}"}, body, ""},
		"of all of it":      {[]string{"{body_sha256}", "{json:/id}"}, body, ""},
	} {
		for _, encoding := range []string{"gzip", "br", "x"} {
			v := compiledProvider(t, signingProvider("{body}", test.ids...))
			r := post(test.body, "X-Sig", hexOf(hmacOf(testSecret, test.body)), "X-Id", "1", "Content-Encoding", encoding)
			verdict, err := v.Verify(r, keysOf(testSecret), now)
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Identify(r, verdict)
			if got := reasonOf(t, err); got != test.want {
				t.Errorf("%s, %s: %v, want %q", name, encoding, err, test.want)
			}
		}
	}
}
