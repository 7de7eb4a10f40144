package verify

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCompileNamesTheField: each mistake is found and the message names where.
func TestCompileNamesTheField(t *testing.T) {
	with := func(p Provider, change func(*Provider, *Scheme)) Provider {
		p.Schemes = append([]Scheme(nil), p.Schemes...)
		change(&p, &p.Schemes[0])
		return p
	}
	github := func(change func(*Scheme)) Provider {
		return with(githubLike, func(_ *Provider, s *Scheme) { change(s) })
	}
	for name, test := range map[string]struct {
		provider Provider
		want     string
	}{
		"no scheme":           {with(githubLike, func(p *Provider, _ *Scheme) { p.Schemes = nil }), "schemes: "},
		"unknown algorithm":   {github(func(s *Scheme) { s.Algorithm = "MD5" }), "schemes[0].algorithm: "},
		"unknown step":        {github(func(s *Scheme) { s.Key = []string{"rot13"} }), "schemes[0].key: "},
		"empty trim":          {github(func(s *Scheme) { s.Key = []string{"trim:"} }), "schemes[0].key: "},
		"no place":            {github(func(s *Scheme) { s.Signature.From = nil }), "schemes[0].signature.from: "},
		"two in one place":    {github(func(s *Scheme) { s.Signature.From = []Location{{Header: "A", Query: "a"}} }), "schemes[0].signature.from[0]: "},
		"a place twice":       {github(func(s *Scheme) { s.Signature.From = []Location{{Header: "a-b"}, {Header: "A-B"}} }), "occurs twice"},
		"bad header":          {github(func(s *Scheme) { s.Signature.From = []Location{{Header: "a b"}} }), "can't be the name of a header"},
		"host":                {github(func(s *Scheme) { s.Signature.From = []Location{{Header: "host"}} }), "Host"},
		"bad pointer":         {github(func(s *Scheme) { s.Signature.From = []Location{{JSON: "a"}} }), "not a JSON pointer"},
		"two grammars":        {github(func(s *Scheme) { s.Signature.List = &List{Separator: ","} }), "at most one"},
		"unknown encoding":    {github(func(s *Scheme) { s.Signature.Encoding = "Base32" }), "schemes[0].signature.encoding: "},
		"no content":          {github(func(s *Scheme) { s.Content = "" }), "schemes[0].content: is missing"},
		"body left out":       {github(func(s *Scheme) { s.Content = "{header:X-Id}" }), "add {body}"},
		"body denied":         {github(func(s *Scheme) { s.BodyUnsigned = true }), "schemes[0].bodyUnsigned: "},
		"secret in an HMAC":   {github(func(s *Scheme) { s.Content = "{secret}{body}" }), "{secret}"},
		"hash without secret": {github(func(s *Scheme) { s.Algorithm = SHA256 }), "{secret}"},
		"undefined id":        {github(func(s *Scheme) { s.Content = "{id}{body}" }), "say in id"},
		"unsigned id":         {github(func(s *Scheme) { s.ID = &Location{Header: "X"} }), "lacks {id}"},
		"undefined timestamp": {github(func(s *Scheme) { s.Content = "{timestamp}{body}" }), "say in timestamp"},
		"unsigned timestamp": {github(func(s *Scheme) {
			s.Timestamp = &Timestamp{From: &Location{Header: "X"}, Unit: Seconds, ToleranceSeconds: 1}
		}), "schemes[0].timestamp: "},
		"timestamp nowhere":  {github(func(s *Scheme) { s.Content, s.Timestamp = "{timestamp}{body}", &Timestamp{Unit: Seconds} }), "schemes[0].timestamp.from: "},
		"tolerance of text":  {with(stripeLike, func(_ *Provider, s *Scheme) { s.Timestamp = &Timestamp{ToleranceSeconds: 1} }), "schemes[0].timestamp.unit: "},
		"unsigned digest":    {github(func(s *Scheme) { s.BodyDigest = &BodyDigest{From: Location{Query: "h"}, Encoding: Hex} }), "schemes[0].bodyDigest.from: "},
		"url forms, no url":  {github(func(s *Scheme) { s.URLForms = []URLForm{URLNoPort} }), "schemes[0].urlForms: "},
		"bad media type":     {github(func(s *Scheme) { s.MediaType = "text/html; charset=x" }), "schemes[0].mediaType: "},
		"token with content": {with(tokenLike, func(_ *Provider, s *Scheme) { s.Content = "{body}" }), "schemes[0].content: "},
		"token in hex":       {with(tokenLike, func(_ *Provider, s *Scheme) { s.Signature.Encoding = Hex }), "schemes[0].signature.encoding: "},
		"basic in a query":   {with(basicLike, func(_ *Provider, s *Scheme) { s.Signature.From = []Location{{Query: "a"}} }), "schemes[0].signature: "},
		"repeated query": {github(func(s *Scheme) {
			s.Signature.From, s.Signature.Repeated = []Location{{Query: "a"}}, true
		}), "schemes[0].signature.repeated: "},
		"same name":      {with(githubLike, func(p *Provider, s *Scheme) { p.Schemes = append(p.Schemes, *s) }), "name of another scheme"},
		"never reached":  {with(githubLike, func(p *Provider, s *Scheme) { p.Schemes = append(p.Schemes, *s); p.Schemes[1].Name = "b" }), "never reached"},
		"no id":          {with(githubLike, func(p *Provider, _ *Scheme) { p.Identity.ID = nil }), "identity.id: "},
		"constant id":    {with(githubLike, func(p *Provider, _ *Scheme) { p.Identity.ID = []string{"x"} }), "identity.id[0]: "},
		"body as id":     {with(githubLike, func(p *Provider, _ *Scheme) { p.Identity.ID = []string{"{body}"} }), "identity.id[0]: "},
		"secret as type": {with(githubLike, func(p *Provider, _ *Scheme) { p.Identity.Type = []string{"{secret}"} }), "identity.type[0]: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(test.provider)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v: it must contain %q", err, test.want)
			}
		})
	}
}

// TestCompileReportsAll: a person should not have to come back for each mistake.
func TestCompileReportsAll(t *testing.T) {
	_, err := Compile(Provider{Schemes: []Scheme{{Algorithm: "MD5", Content: "{"}}})
	for _, field := range []string{"schemes[0].name", "schemes[0].algorithm", "schemes[0].content", "schemes[0].signature.from", "identity.id"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

// TestProviderSurvivesJSON: routes hold providers as JSON.
func TestProviderSurvivesJSON(t *testing.T) {
	for _, want := range []Provider{githubLike, stripeLike, standardLike, tokenLike, basicLike} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Provider
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCredentialHeaders(t *testing.T) {
	p := Provider{Name: "p", Schemes: []Scheme{
		standardLike.Schemes[0], tokenLike.Schemes[0],
		{Name: "own", Algorithm: Token, Signature: Signature{From: []Location{{Header: "x-token"}, {Query: "token"}}, Encoding: Text}},
	}, Identity: tokenLike.Identity}
	if diff := cmp.Diff([]string{"Authorization", "X-Token"}, compiledProvider(t, p).CredentialHeaders()); diff != "" {
		t.Error(diff)
	}
	if got := compiledProvider(t, githubLike).CredentialHeaders(); len(got) > 0 {
		t.Errorf("a signature is no credential: %q", got)
	}
}

func TestCheckKey(t *testing.T) {
	either := Provider{Name: "p", Schemes: []Scheme{standardLike.Schemes[0], {
		Name: "hex", Algorithm: HMACSHA256, Key: []string{"hex"}, Content: "{body}",
		Signature: Signature{From: []Location{{Header: "X"}}, Encoding: Hex},
	}}, Identity: tokenLike.Identity}
	for _, test := range []struct {
		provider Provider
		key      string
		want     string // empty: no error
	}{
		{githubLike, "x", ""},
		{githubLike, "", "it is empty"},
		{githubLike, " \t\n", "it is empty"},
		{standardLike, "whsec_bmV3ZXI=", ""},
		{standardLike, "bmV3ZXI", ""},
		{standardLike, "whsec_", "it is empty"},
		{standardLike, "whsec_***", "base64"},
		{basicLike, "user", "user:password"},
		{basicLike, "user:", ""},
		{either, "00ff", ""},
		{either, "not!", "base64 (letters, digits, and either '+' and '/' or '-' and '_') (scheme v1); or it must be hexadecimal"},
	} {
		err := compiledProvider(t, test.provider).CheckKey(keysOf(test.key).Secrets[0])
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s, %q: %v, want %q", test.provider.Name, test.key, err, test.want)
		}
	}
}
