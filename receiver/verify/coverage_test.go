package verify

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// signingProvider is a provider that signs content in a header.
func signingProvider(content string, id ...string) Provider {
	s := Scheme{Name: "s", Algorithm: HMACSHA256, Content: content, Signature: Signature{From: []Location{{Header: "X-Sig"}}, Encoding: Hex}}
	return Provider{Name: "p", Schemes: []Scheme{s}, Identity: Identity{ID: id}}
}

func TestIDCovered(t *testing.T) {
	gitlab := Provider{Name: "gitlab-like", Schemes: []Scheme{standardLike.Schemes[0], {
		Name: "token", Algorithm: Token, Signature: Signature{From: []Location{{Header: "X-Token"}}, Encoding: Text},
	}}, Identity: Identity{ID: []string{"{id}", "{header:X-Id}"}}}
	signedOnly := gitlab
	signedOnly.Schemes = gitlab.Schemes[:1]
	unsigned := signingProvider("{json:/token}", "{json:/id}")
	unsigned.Schemes[0].BodyUnsigned = true
	digested := signingProvider("{url}", "{json:/id}")
	digested.Schemes[0].BodyDigest = &BodyDigest{From: Location{Query: "h"}, Encoding: Hex}
	optional := signingProvider("{url}{form:a}", "{json:/id}")
	optional.Schemes[0].BodyDigest = &BodyDigest{From: Location{Query: "h"}, Encoding: Hex, Optional: true}
	for name, test := range map[string]struct {
		provider Provider
		want     bool
	}{
		"header":                           {githubLike, false},
		"JSON of a signed body":            {stripeLike, true},
		"signed header":                    {standardLike, true},
		"header that is in the content":    {signingProvider("{header:X-Id}.{body}", "{header:x-id}"), true},
		"another header":                   {signingProvider("{header:X-Id}.{body}", "{header:X-Other}"), false},
		"signed or else unsigned":          {signingProvider("{body}", "{json:/id}", "{header:X-Id}"), false},
		"always there, then unsigned":      {signedOnly, true},
		"one scheme is a token":            {gitlab, false},
		"digest of a signed body":          {signingProvider("{body}", "{body_sha256}"), true},
		"digest of what is signed":         {signingProvider("{form_sorted}", "{signed_sha256}"), true},
		"digest of a body by its CRC":      {signingProvider("{crc32}", "{body_sha256}"), false},
		"digest of a form by its fields":   {signingProvider("{form_sorted}", "{body_sha256}"), false},
		"field of a sorted form":           {signingProvider("{form_sorted}", "{form:id}"), false},
		"signed field":                     {signingProvider("{form:id}", "{form:id}"), true},
		"unsigned field":                   {signingProvider("{form:payload}", "{form:id}"), false},
		"query of a signed URL":            {signingProvider("{url}{body}", "{query:id}"), true},
		"query":                            {signingProvider("{body}", "{query:id}"), false},
		"JSON of an unsigned body":         {unsigned, false},
		"digest of the body is optional":   {optional, false},
		"digest of the body":               {digested, true},
		"token":                            {tokenLike, false},
		"a provider that does not compile": {Provider{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.provider.IDCovered(); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestUnauthenticated(t *testing.T) {
	members := signingProvider("{json:/a}:{json:/b}", "{json:/a}")
	members.Schemes[0].BodyUnsigned = true
	const replay = "; the time: a request that was captured passes again once its event is forgotten (deduplication.window)"
	twins := signingProvider("{form:payload}", "{header:X-Id}")
	twins.Schemes[0].MediaType = formType
	twins.Schemes = append(twins.Schemes, signingProvider("{body}").Schemes[0])
	twins.Schemes[0].Name = "form"
	for name, test := range map[string]struct {
		provider Provider
		want     []string
	}{
		"nothing": {stripeLike, nil},
		"github":  {githubLike, []string{"sha256: the event id (header X-Github-Delivery); the event type (header X-Github-Event)" + replay}},
		"token":   {tokenLike, []string{"bearer: the body and all headers: the sender proves only that it knows the secret"}},
		"members": {members, []string{"s: the body, but for JSON member /a, JSON member /b" + replay}},
		"field":   {signingProvider("{form:payload}", "{form:payload}"), []string{"s: the body, but for form field payload" + replay}},
		"crc":     {signingProvider("{header:X-Id}{crc32}", "{header:X-Id}"), []string{"s: the body, but for its CRC-32, which others can produce, too" + replay}},
		"a type of a form that need be none": {
			Provider{Name: "p", Schemes: signingProvider("{body}").Schemes, Identity: Identity{ID: []string{"{body_sha256}"}, Type: []string{"{form:command}"}}},
			[]string{"s: the event type (form field command)" + replay},
		},
		"a sorted form":          {signingProvider("{url}{form_sorted}", "{signed_sha256}"), []string{"s: the order and the spelling of form fields, and where a name ends and its value begins; the border between the body and {url}" + replay}},
		"a URL before the body":  {signingProvider("{url}{body}", "{json:/id}"), []string{"s: the border between the body and {url}" + replay}},
		"and a line between":     {signingProvider("{url}\n{body}", "{json:/id}"), []string{"s: " + replay[2:]}},
		"and the body is JSON":   {ofFormat(JSONBody, signingProvider("{url}{body}", "{json:/id}")), []string{"s: " + replay[2:]}},
		"parts on either side":   {signingProvider("{header:X-A}.{body}.{header:X-B}", "{json:/id}"), []string{"s: the border between the body and header X-A, and between it and header X-B" + replay}},
		"a form beside the body": {twins, []string{"form: the body, but for form field payload; the event id (header X-Id)" + replay, "s: the event id (header X-Id)" + replay + "; that the body is no form: its signature passes for one of form, with other fields beside it"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, compiledProvider(t, test.provider).Unauthenticated()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNeedsURL(t *testing.T) {
	if compiledProvider(t, githubLike).NeedsURL() || !compiledProvider(t, signingProvider("{url}{body}", "{signed_sha256}")).NeedsURL() {
		t.Error("NeedsURL must tell whether a content has {url}")
	}
}
