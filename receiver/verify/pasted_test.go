package verify

import (
	"encoding/base64"
	"strconv"
	"testing"
)

// TestKeysAsPeoplePasteThem: a key that is written in an encoding is the same with
// white space or quotes around it, and in either alphabet.
func TestKeysAsPeoplePasteThem(t *testing.T) {
	key := "\xfb\xff\xfe a key of which base64 needs both alphabets"
	standard, url := base64.StdEncoding.EncodeToString([]byte(key)), base64.RawURLEncoding.EncodeToString([]byte(key))
	p := standardLike
	p.Schemes = []Scheme{standardLike.Schemes[0]}
	p.Schemes[0].Key = []string{"trim:v1,", "trim:whsec_", "base64"}
	v := compiledProvider(t, p)
	at := strconv.FormatInt(now.Unix(), 10)
	r := post("{}", "webhook-id", "1", "webhook-timestamp", at,
		"webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(hmacOf(key, "1."+at+".{}")))
	for spelling, want := range map[string]Reason{
		standard: "", url: "", url + "==": "", "whsec_" + standard: "", "v1,whsec_" + standard: "",
		`"whsec_` + standard + `"`: "", "'v1,whsec_" + url + "'": "", "`" + standard + "`": "", " \twhsec_" + standard + "\r\n": "", ` "whsec_` + standard + `" `: "",
		"\ufeffwhsec_" + standard: "", standard + "\u200b\n": "",
		`"whsec_` + standard:  NoUsableKey, // half of the quotes may be a part that is missing
		standard + "-":        NoUsableKey, // both alphabets
		"whsec_whsec_" + url:  WrongSignature,
		`""`:                  NoUsableKey,
		"v1a,whsec_" + url:    NoUsableKey,
		"whsec_" + url + " x": NoUsableKey,
	} {
		_, err := v.Verify(r, keysOf(spelling), now)
		if reasonOf(t, err) != want {
			t.Errorf("%q: %v, want %q", spelling, err, want)
		}
		if invalid := v.CheckKey(keysOf(spelling).Secrets[0]) != nil; invalid != (want == NoUsableKey) {
			t.Errorf("%q: that it can't be used is said: %v", spelling, invalid)
		}
	}
}

// TestTextIsTakenToTheLetter: where the text is the key, nobody can say what around
// it belongs to it.
func TestTextIsTakenToTheLetter(t *testing.T) {
	if githubLike.TakesText() != true || standardLike.TakesText() || !tokenLike.TakesText() || asymmetric(RSASHA256).TakesText() {
		t.Error("TakesText must tell whether a scheme takes the text of the secret")
	}
	body := "{}"
	r := post(body, "X-Hub-Signature-256", "sha256="+hexOf(hmacOf(testSecret, body)))
	for _, spelling := range []string{testSecret + " ", `"` + testSecret + `"`} {
		if _, err := compiledProvider(t, githubLike).Verify(r, keysOf(spelling), now); reasonOf(t, err) != WrongSignature {
			t.Errorf("%q: %v", spelling, err)
		}
	}
}
