package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

const (
	testPath   = "/billing/stripe"
	testSecret = "hunter2"
)

// testRoute returns the route of billing/stripe: the body is signed with
// HMAC-SHA256 in X-Signature, the id is in X-Id.
func testRoute() route.Route {
	return route.Route{
		Version:  route.Version,
		Endpoint: route.Endpoint{Namespace: "billing", Name: "stripe", UID: "uid-1", Created: time.Unix(1700000000, 0)},
		Path:     testPath,
		Provider: verify.Provider{
			Name: "example",
			Schemes: []verify.Scheme{{
				Name: "v1", Algorithm: verify.HMACSHA256, Content: "{body}",
				Signature: verify.Signature{From: []verify.Location{{Header: "X-Signature"}}, Encoding: verify.Hex},
			}},
			Identity: verify.Identity{ID: []string{"{header:X-Id}"}},
		},
		Keys:   []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte(testSecret))}},
		Target: route.Target{Namespace: "billing", Service: "billing-api", Port: 8080, Scheme: "http", Path: "/"},
		Delivery: route.Delivery{
			Timeout: route.Duration(time.Second), MaxInFlight: 1,
			Retry: route.Retry{MaxAttempts: 1, MinBackoff: route.Duration(1), MaxBackoff: route.Duration(1), MaxAge: route.Duration(time.Hour)},
		},
		Deduplication: route.Deduplication{Window: route.Duration(72 * time.Hour)},
		Limits:        route.Limits{MaxBodyBytes: 1 << 20},
	}
}

// objectOf encodes a route as the manager does.
func objectOf(tb testing.TB, r route.Route) route.Object {
	tb.Helper()
	data, err := route.Encode(r)
	if err != nil {
		tb.Fatal(err)
	}
	return route.Object{Name: route.SecretName(r.Endpoint.Namespace, r.Endpoint.Name), Path: r.Path, Data: data}
}

// signed returns the headers of an authentic request.
func signed(id string, body []byte) http.Header {
	mac := hmac.New(sha256.New, []byte(testSecret))
	mac.Write(body)
	return http.Header{"X-Signature": {hex.EncodeToString(mac.Sum(nil))}, "X-Id": {id}}
}
