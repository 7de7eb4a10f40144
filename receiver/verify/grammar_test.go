package verify

import (
	"strings"
	"testing"
)

// TestMalformedSignaturesSayHowToWriteThem: who sends something else than a signature
// is told what one looks like, and nothing of what was sent.
func TestMalformedSignaturesSayHowToWriteThem(t *testing.T) {
	sha256Of := func(change func(*Signature)) Provider {
		p := githubLike
		p.Schemes = []Scheme{githubLike.Schemes[0]}
		change(&p.Schemes[0].Signature)
		return p
	}
	digest := hexOf(hmacOf(testSecret, "{}"))
	for name, test := range map[string]struct {
		change func(*Signature)
		value  string
		says   string
	}{
		"a space behind the prefix": {func(*Signature) {}, "sha256= " + digest, `hexadecimal digits only, and "sha256=" before it`},
		"a prefix in capitals":      {func(g *Signature) { g.PrefixOptional = true }, "SHA256=" + digest, `hexadecimal digits only, and "sha256=" before it or nothing`},
		"base64":                    {func(g *Signature) { g.Prefix = "" }, "vTtFVA265Hh05jXVTBzqrM2ydd0oNZpI+V7vSfnQero=", "hexadecimal digits only"},
		"hexadecimal for base64":    {func(g *Signature) { g.Prefix, g.Encoding = "", Base64 }, digest[1:], "base64 with its padding, on one line"},
		"bytes that are no text":    {func(g *Signature) { g.Prefix, g.Encoding = "", Base64URL }, "\xff", "base64url, on one line"},
		"a space before a name": {func(g *Signature) {
			g.Prefix, g.KeyValue = "", &KeyValue{Separator: ",", Equals: "=", SignatureKey: "v1"}
		}, "v0=1, v1=" + digest, `hexadecimal digits only, and "v1=" before it`},
		"a pair that is none": {func(g *Signature) {
			g.Prefix, g.Pairs = "", &Pairs{Separator: "&", Equals: "|"}
		}, "id|x", `hexadecimal digits only, and the id of the key and "|" before it`},
		"an item of a list": {func(g *Signature) {
			g.Prefix, g.List = "", &List{Separator: ",", Prefix: "v1="}
		}, "v1=x,v2=" + digest, `hexadecimal digits only, and "v1=" before it`},
	} {
		_, err := compiledProvider(t, sha256Of(test.change)).Verify(post("{}", "X-Hub-Signature-256", test.value), keysOf(testSecret), now)
		if reasonOf(t, err) != MalformedSignature || !strings.HasSuffix(err.Error(), ": "+test.says) || strings.Contains(err.Error(), digest) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

// TestMalformedCredentialsSayHowToWriteThem: Basic has no encoding of its own.
func TestMalformedCredentialsSayHowToWriteThem(t *testing.T) {
	_, err := compiledProvider(t, basicLike).Verify(post("{}", "Authorization", "Basic dTpwcHA"), keysOf("u:ppp"), now)
	if reasonOf(t, err) != MalformedSignature || !strings.Contains(err.Error(), `"user:password" in base64`) {
		t.Errorf("without padding: %v", err)
	}
}

// TestBlanksAroundItems: whoever joins the lines of a header may put spaces and tabs
// around the commas. They are no part of the items, and blanks inside are.
func TestBlanksAroundItems(t *testing.T) {
	p := githubLike
	p.Schemes = []Scheme{githubLike.Schemes[0]}
	p.Schemes[0].Signature.Prefix = ""
	p.Schemes[0].Signature.List = &List{Separator: ",", Prefix: "sha256=", TrimSpace: true}
	wrong, right := "sha256="+hexOf(hmacOf("another", "{}")), "sha256="+hexOf(hmacOf(testSecret, "{}"))
	for value, want := range map[string]Reason{
		wrong + "," + right:       "",
		wrong + ", " + right:      "",
		wrong + " ,\t" + right:    "",
		right + "\t , " + wrong:   "",
		wrong + ",sha256=" + " ":  WrongSignature,
		wrong + ", " + wrong:      WrongSignature,
		wrong + " " + right:       MalformedSignature,
		wrong + ",\u00a0" + right: WrongSignature,
	} {
		_, err := compiledProvider(t, p).Verify(post("{}", "X-Hub-Signature-256", value), keysOf(testSecret), now)
		if reasonOf(t, err) != want {
			t.Errorf("%q: %v, want %q", value, err, want)
		}
	}
}
