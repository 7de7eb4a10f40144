package verify

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" // the scheme of Travis CI
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
)

const configURL = "https://api.sender.example/config"

// travisLike signs a field of a form with a key from a JSON document.
func travisLike() Provider {
	p := asymmetric(RSASHA1)
	p.Schemes[0].Content = "{form:payload}"
	p.Identity = Identity{ID: []string{"{signed_sha256}"}}
	p.Schemes[0].KeySource = &KeySource{PublicKey: &PublicKeySource{URL: configURL, JSON: "/config/webhook/public_key"}}
	return p
}

// TestFetchURLs: what the manager has to fetch.
func TestFetchURLs(t *testing.T) {
	tenants := published("RS256")
	tenants.Schemes[0].KeySource.JWKSURL = "https://login.example/{param:tenant}/keys?v={param:version}"
	several := Provider{Schemes: []Scheme{githubLike.Schemes[0], travisLike().Schemes[0], tenants.Schemes[0], tenants.Schemes[0], certified("a.example").Schemes[0]}}
	one := func(values ...string) Parameters {
		return Parameters{"tenant": keysOf(values...).Secrets, "version": keysOf("1.0").Secrets}
	}
	travis := FetchSource{URL: configURL, JSON: "/config/webhook/public_key", Algorithm: RSASHA1}
	for name, test := range map[string]struct {
		provider   Provider
		parameters Parameters
		want       []FetchSource
		fails      bool
	}{
		"none":              {githubLike, nil, nil, false},
		"several":           {several, one("a-1.b_c~"), []FetchSource{travis, {URL: "https://login.example/a-1.b_c~/keys?v=1.0", Algorithm: JSONWebToken}}, false},
		"missing":           {tenants, nil, nil, true},
		"two values":        {tenants, one("a", "b"), nil, true},
		"empty":             {tenants, one(""), nil, true},
		"slash":             {tenants, one("a/b"), nil, true},
		"dots":              {tenants, one(".."), nil, true},
		"escape":            {tenants, one("%2e"), nil, true},
		"query":             {tenants, one("a?b"), nil, true},
		"fragment":          {tenants, one("a#b"), nil, true},
		"line":              {tenants, one("a\n"), nil, true},
		"variable":          {tenants, one("{param:version}"), nil, true},
		"long":              {tenants, one(strings.Repeat("a", maxName+1)), nil, true},
		"the others remain": {several, one("/"), []FetchSource{travis}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.provider.FetchURLs(test.parameters)
			if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != test.fails {
				t.Error(diff, err)
			}
			if err != nil && !strings.Contains(err.Error(), "tenant") {
				t.Errorf("the error must name the parameter: %v", err)
			}
		})
	}
}

// TestFetchedPublicKey: a key out of a JSON document verifies a form.
func TestFetchedPublicKey(t *testing.T) {
	p := pairs()
	document, err := json.Marshal(map[string]any{"config": map[string]any{"webhook": map[string]string{"public_key": publicPEM(t, &p.rsa.PublicKey)}}})
	document = must(t, document, err)
	sources, err := travisLike().FetchURLs(nil)
	sources = must(t, sources, err)
	keys, err := sources[0].Keys(document)
	keys = must(t, keys, err)

	const payload = `{"id":1}`
	sum := sha1.Sum([]byte(payload))
	signature, err := rsa.SignPKCS1v15(nil, p.rsa, crypto.SHA1, sum[:])
	signature = must(t, signature, err)
	for name, test := range map[string]struct {
		material *Material
		payload  string
		want     Reason
	}{
		"genuine":           {&Material{Fetched: map[string][]byte{sources[0].URL: keys}}, payload, ""},
		"another payload":   {&Material{Fetched: map[string][]byte{sources[0].URL: keys}}, payload + " ", WrongSignature},
		"not fetched":       {&Material{}, payload, NoUsableKey},
		"a secret instead":  {keysOf(publicPEM(t, &p.rsa.PublicKey)), payload, NoUsableKey},
		"the document":      {&Material{Fetched: map[string][]byte{sources[0].URL: document}}, payload, NoUsableKey},
		"key of other kind": {&Material{Fetched: map[string][]byte{sources[0].URL: []byte(publicPEM(t, &p.ec.PublicKey))}}, payload, NoUsableKey},
	} {
		t.Run(name, func(t *testing.T) {
			r := post(url.Values{"payload": {test.payload}}.Encode(), "Content-Type", formType, "X-Sig", base64.StdEncoding.EncodeToString(signature))
			verdict, err := compiledProvider(t, travisLike()).Verify(r, test.material, now)
			if got := reasonOf(t, err); got != test.want || err == nil && verdict.Key != noSecret {
				t.Errorf("%v, key %d, want %q", err, verdict.Key, test.want)
			}
		})
	}
}

// TestKeysOfADocument: what is of no use is not kept, and what can't be used is
// an error.
func TestKeysOfADocument(t *testing.T) {
	p := pairs()
	tokenSource, keySource := FetchSource{Algorithm: JSONWebToken}, FetchSource{Algorithm: RSASHA256}
	inJSON := FetchSource{Algorithm: RSASHA256, JSON: "/key"}
	rsaPEM := publicPEM(t, &p.rsa.PublicKey)
	edPublic, _, err := ed25519.GenerateKey(nil)
	edPublic = must(t, edPublic, err)
	lean := jwkSet(t, jose.JSONWebKey{Key: &p.rsa.PublicKey, KeyID: "a"}, jose.JSONWebKey{Key: &p.ec.PublicKey, KeyID: "b"})
	rich := jwkSet(t, jose.JSONWebKey{Key: edPublic, KeyID: "x"}, jose.JSONWebKey{Key: &p.rsa.PublicKey, KeyID: "a", Use: "sig", Algorithm: "RS256"},
		jose.JSONWebKey{Key: []byte("k"), KeyID: "y"}, jose.JSONWebKey{Key: &p.ec.PublicKey, KeyID: "b"}, jose.JSONWebKey{Key: &p.ec384.PublicKey})
	many := jwkSet(t, slices.Repeat([]jose.JSONWebKey{{Key: &p.ec.PublicKey}}, 32+1)...)
	heavy := jwkSet(t, jose.JSONWebKey{Key: &p.ec.PublicKey, KeyID: strings.Repeat("k", maxKeyBytes)})
	for name, test := range map[string]struct {
		source   FetchSource
		document string
		want     string // empty: an error
	}{
		"set":                  {tokenSource, rich, lean},
		"set, indented":        {tokenSource, "\n " + strings.ReplaceAll(lean, ",", " ,\n"), lean},
		"single key":           {tokenSource, jwk(t, &p.ec.PublicKey, "b"), jwkSet(t, jose.JSONWebKey{Key: &p.ec.PublicKey, KeyID: "b"})},
		"PEM for tokens":       {tokenSource, "\n" + rsaPEM, strings.TrimSpace(rsaPEM)},
		"PEM":                  {keySource, rsaPEM + "\n\n", strings.TrimSpace(rsaPEM)},
		"PEM in JSON":          {inJSON, `{"key":` + quoted(t, rsaPEM) + `}`, strings.TrimSpace(rsaPEM)},
		"no JSON":              {inJSON, rsaPEM, ""},
		"nothing there":        {inJSON, `{"keys":"x"}`, ""},
		"no text there":        {inJSON, `{"key":{}}`, ""},
		"PEM of another kind":  {keySource, publicPEM(t, &p.ec.PublicKey), ""},
		"PEM of a small key":   {tokenSource, publicPEM(t, &p.smallRSA.PublicKey), ""},
		"empty":                {tokenSource, "", ""},
		"empty set":            {tokenSource, `{"keys":[]}`, ""},
		"nothing of use":       {tokenSource, jwkSet(t, jose.JSONWebKey{Key: edPublic}), ""},
		"an error page":        {tokenSource, "<html>", ""},
		"a JSON error":         {tokenSource, `{"error":"not found"}`, ""},
		"too many":             {tokenSource, many, ""},
		"too long":             {tokenSource, lean + strings.Repeat(" ", MaxFetchBytes), ""},
		"too much to keep":     {tokenSource, heavy, ""},
		"no such algorithm":    {FetchSource{}, rsaPEM, ""},
		"JSON of another type": {tokenSource, `{"keys":{"a":1}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.source.Keys([]byte(test.document))
			if (err == nil) != (test.want != "") || err == nil && string(got) != test.want {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func quoted(tb testing.TB, text string) string {
	tb.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		tb.Fatal(err)
	}
	return string(encoded)
}

// TestNeedsSecret: only schemes without a source of keys take secrets.
func TestNeedsSecret(t *testing.T) {
	either := published("RS256")
	either.Schemes = append(either.Schemes, tokenLike.Schemes[0])
	for name, test := range map[string]struct {
		provider Provider
		want     bool
	}{
		"secret": {githubLike, true}, "JWK Set": {published("RS256"), false}, "public key": {travisLike(), false},
		"certificate": {certified("a.example"), false}, "one of two": {either, true},
	} {
		if got := test.provider.NeedsSecret(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	either.Schemes[1].Signature.From = []Location{{Query: "token"}}
	if err := compiledProvider(t, either).CheckKey(secret.New(nil)); err == nil {
		t.Error("the scheme that takes a secret must check it")
	}
}
