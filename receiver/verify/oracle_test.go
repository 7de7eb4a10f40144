package verify

import (
	"slices"
	"testing"
)

// oracle is a provider whose unsigned handshake answers with the MAC of what fits
// the guard.
func oracle(guard string, scheme func(*Scheme)) Provider {
	p := shaking(Handshake{
		Name: "crc", Method: "GET", Unsigned: true, Match: []Condition{queryIs("x")},
		Guard:  []Condition{{Location: Location{Query: "x"}, Pattern: guard}},
		Answer: answerText("{query:x|hmac_hex}"),
	})
	p.Schemes = slices.Clone(p.Schemes)
	scheme(&p.Schemes[0])
	return p
}

// TestOraclesAreRefusedUnlessProved: a handshake may sign what a stranger chose only
// where no event can be made of such a text.
func TestOraclesAreRefusedUnlessProved(t *testing.T) {
	format := func(f BodyFormat) func(*Scheme) { return func(s *Scheme) { s.BodyFormat = f } }
	content := func(text string) func(*Scheme) {
		return func(s *Scheme) {
			s.Content = text
			s.Timestamp = &Timestamp{From: &Location{Header: "X-Time"}, Unit: Seconds, ToleranceSeconds: 60}
		}
	}
	for name, test := range map[string]struct {
		guard  string
		scheme func(*Scheme)
		proved bool
	}{
		"any body":                        {`[a-f0-9]{32}`, format(AnyBody), false},
		"JSON, and no brackets":           {`[a-f0-9]{32}`, format(JSONBody), true},
		"JSON, and an object":             {`[a-f0-9{]{32}`, format(JSONBody), false},
		"JSON, and a list":                {`[a-f0-9[]{32}`, format(JSONBody), false},
		"an object, and a list":           {`[a-f0-9[]{32}`, format(JSONObject), true},
		"a list, and an object":           {`[a-f0-9{]{32}`, format(JSONArray), true},
		"a list, and a list":              {`\[.*\]`, format(JSONArray), false},
		"JSON, and anything":              {`.{1,32}`, format(JSONBody), false},
		"JSON, and anything but brackets": {`[^{}\[\]]{1,32}`, format(JSONBody), true},
		"one of two":                      {`[a-z]+|\{.*`, format(JSONBody), false},
		"a form":                          {`[a-f0-9]{32}`, format(FormBody), false},
		"a word before the body":          {`[a-z]{32}`, content("v0:{timestamp}:{body}"), true},
		"and the guard allows it":         {`[a-z0-9:]{32}`, content("v0:{timestamp}:{body}"), false},
		"a time before the body":          {`[a-z]{32}`, content("{timestamp}{body}"), true},
		"and the guard allows that":       {`[a-z0-9]{32}`, content("{timestamp}{body}"), false},
		"letters of either case":          {`(?i)[v]+`, func(s *Scheme) { s.Content = "V{body}" }, false},
		"a letter of the other case":      {`v+`, func(s *Scheme) { s.Content = "V{body}" }, true},
		"a second content is proved, too": {`[a-z]+`, func(s *Scheme) { s.Content, s.AlternativeContent = "1{body}", []string{"{body}"} }, false},
		"members of the body":             {`[a-z]+`, func(s *Scheme) { s.Content = "{members:a}" }, true},
		"the URL":                         {`[a-z/.]+`, func(s *Scheme) { s.Content = "{url}{body}" }, true},
		"another hash":                    {`.+`, func(s *Scheme) { s.Algorithm = HMACSHA1; s.BodyFormat = JSONObject }, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(oracle(test.guard, test.scheme))
			if (err == nil) != test.proved {
				t.Errorf("the compiler says %v, want that it is proved: %v", err, test.proved)
			}
		})
	}
}

// TestOraclesOfOtherSchemes: what is answered must be no signature of any scheme that
// could have the same key.
func TestOraclesOfOtherSchemes(t *testing.T) {
	p := oracle(`[a-z]+`, func(s *Scheme) { s.BodyFormat = JSONObject })
	other := Scheme{
		Name: "other", Algorithm: HMACSHA256, Content: "{body}",
		Signature: Signature{From: []Location{{Header: "X-Other"}}, Encoding: Hex},
	}
	token := Scheme{
		Name: "token", Algorithm: JSONWebToken, JWT: &JWT{Algorithms: []string{"HS256"}}, BodyUnsigned: true,
		Signature: Signature{From: []Location{{Header: "Authorization"}}, Encoding: Text},
	}
	for name, test := range map[string]struct {
		guard  string
		second Scheme
		proved bool
	}{
		"the same MAC":            {`[a-z]+`, other, false},
		"another MAC":             {`[a-z]+`, func() Scheme { s := other; s.Algorithm = HMACSHA512; return s }(), true},
		"a token":                 {`[a-z]+`, token, true},
		"a token, and its points": {`[a-z.]+`, token, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := p
			p.Schemes = append(slices.Clone(p.Schemes), test.second)
			p.Handshakes = slices.Clone(p.Handshakes)
			p.Handshakes[0].Guard = []Condition{{Location: Location{Query: "x"}, Pattern: test.guard}}
			if _, err := Compile(p); (err == nil) != test.proved {
				t.Errorf("the compiler says %v, want that it is proved: %v", err, test.proved)
			}
		})
	}
}

// TestOraclesTakeNoEncodings: a text of letters can be the encoding of an object.
func TestOraclesTakeNoEncodings(t *testing.T) {
	body := `{"a":1}`
	signed := "sha256=" + hexOf(hmacOf(testSecret, body))
	for _, encoding := range []string{"", "deflate", "gzip", "identity"} {
		pairs := []string{"X-Hub-Signature-256", signed, "X-GitHub-Delivery", "1"}
		if encoding != "" {
			pairs = append(pairs, "Content-Encoding", encoding)
		}
		_, err := compiledProvider(t, xLike).Verify(post(body, pairs...), keysOf(testSecret), now)
		if got, want := reasonOf(t, err), map[bool]Reason{true: PreconditionFailed}[encoding == "deflate" || encoding == "gzip"]; got != want {
			t.Errorf("Content-Encoding %q: %v, want %q", encoding, err, want)
		}
	}
}
