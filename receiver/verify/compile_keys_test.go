package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCompileKeysNamesTheField: each mistake is found and the message names where.
func TestCompileKeysNamesTheField(t *testing.T) {
	const secretly, optionally = "secretly", "optionally"
	with := func(p Provider, change func(*Scheme)) Provider {
		p.Schemes = slices.Clone(p.Schemes)
		p.Parameters = append(slices.Clone(p.Parameters), Parameter{Name: secretly, Required: true, Sensitive: true}, Parameter{Name: optionally})
		s := &p.Schemes[0]
		if s.JWT != nil {
			jwt := *s.JWT
			s.JWT = &jwt
		}
		if s.KeySource != nil {
			source := *s.KeySource
			s.KeySource = &source
		}
		change(s)
		return p
	}
	token := func(change func(*Scheme)) Provider { return with(tokens("HS256"), change) }
	public := func(change func(*Scheme)) Provider { return with(published("RS256"), change) }
	claim := func(c Claim) Provider { return token(func(s *Scheme) { s.JWT.Claims = []Claim{c} }) }
	fetched := func(address string) Provider { return public(func(s *Scheme) { s.KeySource.JWKSURL = address }) }
	key := func(source PublicKeySource) Provider {
		return with(asymmetric(RSASHA1), func(s *Scheme) { s.KeySource = &KeySource{PublicKey: &source} })
	}
	for name, test := range map[string]struct {
		provider Provider
		want     string
	}{
		"no description":         {token(func(s *Scheme) { s.JWT = nil }), "schemes[0].jwt: "},
		"description of a MAC":   {with(githubLike, func(s *Scheme) { s.JWT = &JWT{Algorithms: []string{"HS256"}} }), "schemes[0].jwt: "},
		"no algorithm":           {token(func(s *Scheme) { s.JWT.Algorithms = nil }), "schemes[0].jwt.algorithms: "},
		"none":                   {token(func(s *Scheme) { s.JWT.Algorithms = []string{"none"} }), "schemes[0].jwt.algorithms: "},
		"twice":                  {token(func(s *Scheme) { s.JWT.Algorithms = []string{"RS256", "RS256"} }), "schemes[0].jwt.algorithms: "},
		"secret and public":      {token(func(s *Scheme) { s.JWT.Algorithms = []string{"RS256", "HS256"} }), "HS256 excludes the others"},
		"content":                {token(func(s *Scheme) { s.Content = "{body}" }), "schemes[0].content: "},
		"alternative content":    {token(func(s *Scheme) { s.AlternativeContent = []string{"{body}"} }), "schemes[0].alternativeContent: "},
		"key id":                 {token(func(s *Scheme) { s.KeyID = &Location{Header: "X"} }), "schemes[0].keyID: "},
		"id":                     {token(func(s *Scheme) { s.ID = &Location{Header: "X"} }), "schemes[0].id: "},
		"timestamp":              {token(func(s *Scheme) { s.Timestamp = &Timestamp{From: &Location{Header: "X"}} }), "schemes[0].timestamp: "},
		"list":                   {token(func(s *Scheme) { s.Signature.Prefix, s.Signature.List = "", &List{Separator: ","} }), "schemes[0].signature.list: "},
		"pairs":                  {token(func(s *Scheme) { s.Signature.Prefix, s.Signature.Pairs = "", &Pairs{",", "="} }), "schemes[0].signature.pairs: "},
		"encoding":               {token(func(s *Scheme) { s.Signature.Encoding = Base64URL }), "schemes[0].signature.encoding: "},
		"body left out":          {token(func(s *Scheme) { s.BodyUnsigned = false }), "schemes[0].bodyDigest: "},
		"body denied":            {token(func(s *Scheme) { s.BodyDigest = &BodyDigest{From: Location{Claim: "/s"}, Encoding: Hex} }), "schemes[0].bodyUnsigned: "},
		"digest in a header":     {token(digested(BodyDigest{From: Location{Header: "X"}, Encoding: Hex})), "schemes[0].bodyDigest.from: "},
		"digest may be left out": {token(digested(BodyDigest{From: Location{Claim: "/s"}, Encoding: Hex, Optional: true})), "schemes[0].bodyDigest: "},
		"digest twice optional":  {token(digested(BodyDigest{From: Location{Claim: "/s"}, Encoding: Hex, Optional: true, AbsentWhenEmpty: true})), "at most one of"},
		"digest as text":         {token(digested(BodyDigest{From: Location{Claim: "/s"}, Encoding: Text})), "schemes[0].bodyDigest.encoding: "},
		"claim of a MAC":         {with(githubLike, func(s *Scheme) { s.BodyDigest = &BodyDigest{From: Location{Claim: "/s"}, Encoding: Hex} }), "schemes[0].bodyDigest.from: "},
		"age":                    {token(func(s *Scheme) { s.JWT.MaxAgeSeconds = -1 }), "schemes[0].jwt.maxAgeSeconds: "},
		"too many claims": {token(func(s *Scheme) {
			s.JWT.Claims = slices.Repeat([]Claim{{Claim: "/a", Values: []string{"a"}}}, maxClaims+1)
		}), "schemes[0].jwt.claims: "},
		"claim without pointer":    {claim(Claim{Claim: "aud", Values: []string{"a"}}), "schemes[0].jwt.claims[0].claim: "},
		"claim of any kind":        {claim(Claim{Claim: "/a/*", Values: []string{"a"}}), "schemes[0].jwt.claims[0].claim: "},
		"claim without value":      {claim(Claim{Claim: "/aud"}), "schemes[0].jwt.claims[0]: "},
		"claim with two":           {claim(Claim{Claim: "/aud", Values: []string{"a"}, URLDigest: Hex}), "schemes[0].jwt.claims[0]: "},
		"claim with empty value":   {claim(Claim{Claim: "/aud", Values: []string{""}}), "schemes[0].jwt.claims[0].values: "},
		"claim with many values":   {claim(Claim{Claim: "/aud", Values: slices.Repeat([]string{"a"}, maxClaimValues+1)}), "schemes[0].jwt.claims[0].values: "},
		"claim, unknown parameter": {claim(Claim{Claim: "/aud", Parameter: "x"}), "schemes[0].jwt.claims[0].parameter: "},
		"claim, optional one":      {claim(Claim{Claim: "/aud", Parameter: optionally}), "must be required"},
		"URL as text":              {claim(Claim{Claim: "/u", URLDigest: Text}), "schemes[0].jwt.claims[0].urlDigest: "},
		"URL as what":              {claim(Claim{Claim: "/u", URLDigest: "x"}), "schemes[0].jwt.claims[0].urlDigest: "},
		"no issuer":                {public(func(s *Scheme) { s.JWT.Claims = s.JWT.Claims[1:] }), "schemes[0].jwt.claims: lack /iss"},
		"no audience":              {public(func(s *Scheme) { s.JWT.Claims = s.JWT.Claims[:1] }), "schemes[0].jwt.claims: lack /aud"},
		"published secret":         {public(func(s *Scheme) { s.JWT.Algorithms = []string{"HS256"} }), "schemes[0].keySource: "},
		"published MAC key":        {with(githubLike, func(s *Scheme) { s.KeySource = &KeySource{PublicKey: &PublicKeySource{URL: configURL}} }), "schemes[0].keySource: "},
		"published password":       {with(tokenLike, func(s *Scheme) { s.KeySource = &KeySource{PublicKey: &PublicKeySource{URL: configURL}} }), "schemes[0].keySource: "},
		"no source":                {public(func(s *Scheme) { s.KeySource = &KeySource{} }), "schemes[0].keySource: "},
		"two sources":              {public(func(s *Scheme) { s.KeySource.PublicKey = &PublicKeySource{URL: configURL} }), "schemes[0].keySource: "},
		"set without tokens":       {with(asymmetric(RSASHA1), func(s *Scheme) { s.KeySource = &KeySource{JWKSURL: jwksURL} }), "schemes[0].keySource.jwksURL: "},
		"token by certificate":     {public(func(s *Scheme) { s.KeySource = certified("a.example").Schemes[0].KeySource }), "schemes[0].keySource.certificate: "},
		"steps":                    {public(func(s *Scheme) { s.Key = []string{"hex"} }), "schemes[0].key: "},
		"key id and source":        {with(travisLike(), func(s *Scheme) { s.KeyID = &Location{Header: "X"} }), "schemes[0].keySource: "},
		"http":                     {fetched("http://keys.example/"), "schemes[0].keySource.jwksURL: "},
		"no host":                  {fetched("https:///keys"), "schemes[0].keySource.jwksURL: "},
		"user":                     {fetched("https://user@keys.example/"), "schemes[0].keySource.jwksURL: "},
		"fragment":                 {fetched("https://keys.example/#a"), "schemes[0].keySource.jwksURL: "},
		"host by parameter":        {fetched("https://{param:audience}/keys"), "only behind the host"},
		"host in part":             {fetched("https://keys.{param:audience}"), "only behind the host"},
		"another variable":         {fetched("https://keys.example/{header:X}"), "schemes[0].keySource.jwksURL: "},
		"unknown parameter":        {fetched("https://keys.example/{param:x}"), `"x" is not a parameter`},
		"secret in a URL":          {fetched("https://keys.example/{param:" + secretly + "}"), "is secret"},
		"optional in a URL":        {fetched("https://keys.example/{param:" + optionally + "}"), "must be required"},
		"long URL":                 {fetched("https://keys.example/" + strings.Repeat("x", maxTemplate)), "longer than"},
		"variable in a key's URL":  {key(PublicKeySource{URL: "https://keys.example/{param:" + secretly + "}"}), "schemes[0].keySource.publicKey.url: "},
		"key's pointer":            {key(PublicKeySource{URL: configURL, JSON: "key"}), "schemes[0].keySource.publicKey.json: "},
		"key's pointer to many":    {key(PublicKeySource{URL: configURL, JSON: "/keys/*"}), "schemes[0].keySource.publicKey.json: "},
		"two keys of a document":   {Provider{Schemes: []Scheme{travisLike().Schemes[0], key(PublicKeySource{URL: configURL, JSON: "/other"}).Schemes[0]}}, "schemes[1].keySource.publicKey.json: "},
		"certificate by claim": {with(certified("a.example"), func(s *Scheme) {
			s.KeySource = &KeySource{Certificate: &CertificateSource{From: Location{Claim: "/c"}, HostPattern: certificateHost, PathPattern: certificatePath, DNSNames: []string{"a.example"}}}
		}), "schemes[0].keySource.certificate.from"},
		"certificate from any host": {with(certified("a.example"), func(s *Scheme) {
			s.KeySource = &KeySource{Certificate: &CertificateSource{From: Location{Header: "X"}, HostPattern: ".*", PathPattern: certificatePath, DNSNames: []string{"a.example"}}}
		}), "schemes[0].keySource.certificate.hostPattern: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(test.provider)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v: it must contain %q", err, test.want)
			}
		})
	}
}

// TestKeySourcesSurviveJSON: routes hold providers as JSON.
func TestKeySourcesSurviveJSON(t *testing.T) {
	for _, want := range []Provider{published("RS256"), travisLike(), certified("a.example")} {
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
		compiledProvider(t, got)
	}
}
