package route

import (
	"fmt"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// testRoute returns a valid route of billing/<name>, with one key.
func testRoute(name string) Route {
	return Route{
		Version:  Version,
		Endpoint: Endpoint{Namespace: "billing", Name: name, UID: "uid-" + name, Generation: 3, Created: time.Unix(1700000000, 0).UTC()},
		Path:     "/billing/" + name,
		Provider: testProvider(),
		Keys:     []Key{{Name: KeyName(0), Value: secret.New([]byte("hunter2"))}},
		Target:   Target{Namespace: "billing", Service: "billing-api", Port: 8080, Scheme: "http", Path: "/in"},
		Delivery: Delivery{
			Timeout: Duration(10 * time.Second), MaxInFlight: 32,
			Retry: Retry{MaxAttempts: 12, MinBackoff: Duration(time.Second), MaxBackoff: Duration(time.Hour), MaxAge: Duration(72 * time.Hour)},
		},
		Deduplication: Deduplication{Window: Duration(72 * time.Hour)},
		Limits:        Limits{MaxBodyBytes: 1 << 20},
	}
}

// testProvider signs the body with HMAC-SHA256 in a header.
func testProvider() verify.Provider {
	return verify.Provider{
		Name: "example",
		Schemes: []verify.Scheme{{
			Name: "v1", Algorithm: verify.HMACSHA256, Content: "{body}",
			Signature: verify.Signature{From: []verify.Location{{Header: "X-Signature"}}, Encoding: verify.Hex},
		}},
		Identity: verify.Identity{ID: []string{"{header:X-Id}"}},
	}
}

// testObject encodes a route as the manager does.
func testObject(tb testing.TB, r Route) Object {
	tb.Helper()
	data, err := Encode(r)
	if err != nil {
		tb.Fatal(err)
	}
	return Object{Name: SecretName(r.Endpoint.Namespace, r.Endpoint.Name), Path: Annotations(r)[AnnotationPath], Data: data}
}

// testObjects makes n of them.
func testObjects(tb testing.TB, n int) []Object {
	tb.Helper()
	objects := make([]Object, n)
	for i := range objects {
		objects[i] = testObject(tb, testRoute(fmt.Sprint("e-", i)))
	}
	return objects
}
