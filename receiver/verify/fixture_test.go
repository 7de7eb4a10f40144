package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/secret"
)

const testSecret = "a secret of the tests"

// now is when the tests' requests arrive.
var now = time.Unix(1700000000, 0)

// One provider for each shape of a signature.
var (
	githubLike = Provider{
		Name: "github-like",
		Schemes: []Scheme{{
			Name: "sha256", Algorithm: HMACSHA256, Content: "{body}",
			Signature: Signature{From: []Location{{Header: "X-Hub-Signature-256"}}, Prefix: "sha256=", Encoding: Hex},
		}},
		Identity: Identity{ID: []string{"{header:X-GitHub-Delivery}"}, Type: []string{"{header:X-GitHub-Event}"}},
	}
	stripeLike = Provider{
		Name: "stripe-like",
		Schemes: []Scheme{{
			Name: "v1", Algorithm: HMACSHA256, Content: "{timestamp}.{body}",
			Signature: Signature{
				From:     []Location{{Header: "Stripe-Signature"}},
				KeyValue: &KeyValue{Separator: ",", Equals: "=", SignatureKey: "v1", TimestampKey: "t"}, Encoding: Hex,
			},
			Timestamp: &Timestamp{Unit: Seconds, ToleranceSeconds: 300},
		}},
		Identity: Identity{ID: []string{"{json:/id}"}, Type: []string{"{json:/type}"}},
	}
	standardLike = Provider{
		Name: "standard-like",
		Schemes: []Scheme{{
			Name: "v1", Algorithm: HMACSHA256, Key: []string{"trim:whsec_", "base64"}, Content: "{id}.{timestamp}.{body}",
			Signature: Signature{From: []Location{{Header: "webhook-signature"}}, List: &List{Separator: " ", Prefix: "v1,"}, Encoding: Base64},
			ID:        &Location{Header: "webhook-id"},
			Timestamp: &Timestamp{From: &Location{Header: "webhook-timestamp"}, Unit: Seconds, ToleranceSeconds: 300},
		}},
		Identity: Identity{ID: []string{"{id}"}, Type: []string{"{json:/type}"}},
	}
	tokenLike = Provider{
		Name: "token-like",
		Schemes: []Scheme{{
			Name: "bearer", Algorithm: Token,
			Signature: Signature{From: []Location{{Header: "Authorization"}}, Prefix: "Bearer ", Encoding: Text},
		}},
		Identity: Identity{ID: []string{"{header:X-Event-Id}", "{body_sha256}"}},
	}
	basicLike = Provider{
		Name: "basic-like",
		Schemes: []Scheme{{
			Name: "basic", Algorithm: Basic,
			Signature: Signature{From: []Location{{Header: "Authorization"}}, Encoding: Text},
		}},
		Identity: Identity{ID: []string{"{body_sha256}"}},
	}
)

// compiledProvider compiles or fails the test.
func compiledProvider(tb testing.TB, p Provider) *Verifier {
	tb.Helper()
	v, err := Compile(p)
	if err != nil {
		tb.Fatalf("%s: %v", p.Name, err)
	}
	return v
}

// keysOf makes keys.
func keysOf(texts ...string) *Material {
	keys := make([]secret.Value, len(texts))
	for i, text := range texts {
		keys[i] = secret.New([]byte(text))
	}
	return &Material{Secrets: keys}
}

// post makes a request of pairs of header names and values.
func post(body string, pairs ...string) *Request {
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Add(pairs[i], pairs[i+1])
	}
	return &Request{Method: http.MethodPost, Header: header, Body: []byte(body)}
}

// hmacOf is HMAC-SHA256, straight from the standard library.
func hmacOf(key, message string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(message))
	return mac.Sum(nil)
}

// reasonOf is the reason of a rejection; empty for nil.
func reasonOf(tb testing.TB, err error) Reason {
	tb.Helper()
	if err == nil {
		return ""
	}
	return rejectionOf(tb, err).Reason
}

// rejectionOf is the rejection that an error is.
func rejectionOf(tb testing.TB, err error) *Rejection {
	tb.Helper()
	rejection, ok := errors.AsType[*Rejection](err)
	if !ok {
		tb.Fatalf("the error is a %T: it must be a *Rejection", err)
	}
	return rejection
}

// hexOf writes bytes in hexadecimal digits.
func hexOf(b []byte) string { return hex.EncodeToString(b) }
