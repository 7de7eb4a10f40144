package verify

import (
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport.dev/sallyport/receiver/verify/document"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// tokenLifetime is how long a token is valid that is made here.
const tokenLifetime = 5 * time.Minute

// setClaims writes down the claims of the token, but for the digests, which are of
// what the next steps change.
func (w *signing) setClaims() error {
	if w.s.token == nil {
		return nil
	}
	w.r.claims = []byte("{}")
	for i := range w.s.token.claims {
		if c := &w.s.token.claims[i]; c.urlDigest == "" {
			if err := w.setClaim(c); err != nil {
				return err
			}
		}
	}
	for _, c := range [...]struct {
		name string
		at   time.Time
	}{{"iat", w.o.Now}, {"exp", w.o.Now.Add(tokenLifetime)}} {
		claims, err := document.Pointer{c.name}.Put(w.r.claims, strconv.FormatInt(c.at.Unix(), 10), true)
		if err != nil {
			return w.cannot("has a claim %s that is no time", c.name)
		}
		w.r.claims = claims
	}
	return nil
}

// setClaim gives a claim the first value that is accepted.
func (w *signing) setClaim(c *compiledClaim) error {
	var value string
	if len(c.values) > 0 {
		value = c.values[0]
	} else {
		first, rejection := w.m.Parameters.first(c.parameter)
		if rejection != nil {
			return w.cannot("needs the parameter %s: set it in the endpoint", c.parameter)
		}
		value = string(first)
	}
	return w.set(place{kind: inClaim, name: c.name, pointer: c.at}, value)
}

// setURLDigests claims the URL, where the token does that.
func (w *signing) setURLDigests() error {
	if !w.s.token.signsURL() {
		return nil
	}
	if w.r.URL == "" {
		return w.refused(&Rejection{Reason: NoPublicURL})
	}
	for i := range w.s.token.claims {
		c := &w.s.token.claims[i]
		if c.urlDigest == "" {
			continue
		}
		digest := sha256.Sum256([]byte(w.r.URL))
		if err := w.set(place{kind: inClaim, name: c.name, pointer: c.at}, c.urlDigest.encode(digest[:])); err != nil {
			return err
		}
	}
	return nil
}

// fixes reports whether a claim is not free to be chosen.
func (t *compiledToken) fixes(at place) bool {
	switch at.name {
	case "/iat", "/exp", "/nbf":
		return true
	}
	return slices.ContainsFunc(t.claims, func(c compiledClaim) bool { return slices.Equal(c.at, at.pointer) })
}

// token writes and signs the token (RFC 7515, compact).
func (w *signing) token() (string, error) {
	header := struct {
		Algorithm jose.SignatureAlgorithm `json:"alg"`
		Type      string                  `json:"typ"`
		KeyID     string                  `json:"kid,omitempty"`
	}{jose.HS256, "JWT", ""}
	if w.signer.private != nil {
		header.Algorithm, header.KeyID = keymaterial.AlgorithmOf(w.signer.private.Public()), w.tokenKeyID()
	}
	head, err := json.Marshal(header)
	if err != nil {
		return "", w.cannot("has an algorithm that can't be named")
	}
	text := Base64URL.encode(head) + "." + Base64URL.encode(w.r.claims)
	signature, err := w.signMessage(keymaterial.Message{Head: []byte(text)})
	if err != nil {
		return "", err
	}
	return text + "." + Base64URL.encode(signature), nil
}

// tokenKeyID is the id that the endpoint's Secret gives to the public key.
func (w *signing) tokenKeyID() string {
	keys, _ := w.s.tokenKeys(w.m)
	for _, k := range keys {
		if same, ok := k.Key.(interface{ Equal(x crypto.PublicKey) bool }); ok && same.Equal(w.signer.private.Public()) {
			return k.ID
		}
	}
	return ""
}
