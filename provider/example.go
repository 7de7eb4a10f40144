package provider

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// outcome is what comes of a request: an answer to a handshake, or an event.
type outcome struct {
	handshake *verify.Answer
	scheme    string
	event     verify.Identification
}

// runExample does with the request of an example what a receiver would do, and
// compares what comes of it with what the example states. It returns what
// differs; empty: nothing.
func runExample(verifier *verify.Verifier, provider *verify.Provider, test *v1alpha1.ProviderTest) string {
	request, err := exampleRequest(&test.Request)
	if err != nil {
		return err.Error()
	}
	material, err := exampleMaterial(provider, test)
	if err != nil {
		return err.Error()
	}
	var now time.Time
	if test.Now != nil {
		now = test.Now.Time
	}
	got, err := receive(verifier, request, material, now)
	switch {
	case err != nil:
		return compareRejection(err, test.Expect.Rejected)
	case test.Expect.Rejected != "":
		return fmt.Sprintf("it should be rejected for %s, and it is accepted", test.Expect.Rejected)
	case got.handshake != nil:
		return compareHandshake(got.handshake, test.Expect.Handshake)
	}
	return compareEvent(got, &test.Expect)
}

// receive takes the steps of a receiver, in its order.
func receive(verifier *verify.Verifier, request *verify.Request, material *verify.Material, now time.Time) (outcome, error) {
	answer, err := verifier.Handshake(request, material, nil)
	if err != nil || answer != nil {
		return outcome{handshake: answer}, err
	}
	verdict, err := verifier.Verify(request, material, now)
	if err != nil {
		return outcome{}, err
	}
	answer, err = verifier.Handshake(request, material, &verdict)
	if err != nil || answer != nil {
		return outcome{handshake: answer}, err
	}
	event, err := verifier.Identify(request, verdict)
	return outcome{scheme: verdict.Scheme, event: event}, err
}

// exampleMaterial is what the example is verified with.
func exampleMaterial(provider *verify.Provider, test *v1alpha1.ProviderTest) (*verify.Material, error) {
	material := &verify.Material{Parameters: verify.Parameters{}}
	if test.Secret != "" {
		material.Secrets = []secret.Value{secret.New([]byte(test.Secret))}
	}
	for _, parameter := range test.Parameters {
		for _, value := range parameter.Values {
			material.Parameters[parameter.Name] = append(material.Parameters[parameter.Name], secret.New([]byte(value)))
		}
	}
	if test.Key == "" {
		return material, nil
	}
	return material, publish(material, provider, []byte(test.Key))
}

// publish has the sender publish a key, wherever its schemes look for one. A
// certificate is its own authority here.
func publish(material *verify.Material, provider *verify.Provider, key []byte) error {
	if bytes.Contains(key, []byte("-----BEGIN CERTIFICATE-----")) {
		material.Certificate, material.Roots = key, x509.NewCertPool()
		material.Roots.AppendCertsFromPEM(key)
		return nil
	}
	sources, err := provider.FetchURLs(material.Parameters)
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	material.Fetched = map[string][]byte{}
	for _, source := range sources {
		source.JSON = "" // the key itself is given, without the document that it is published in
		if material.Fetched[source.URL], err = source.Keys(key); err != nil {
			return fmt.Errorf("key: %w", err)
		}
	}
	return nil
}

func exampleRequest(in *v1alpha1.ExampleRequest) (*verify.Request, error) {
	body, err := in.Bytes()
	if err != nil {
		return nil, err
	}
	out := &verify.Request{Method: in.Method, URL: in.URL, Header: http.Header{}, Body: body}
	if out.Method == "" {
		out.Method = http.MethodPost // the API server's default; presets serve without having been there
	}
	for _, header := range in.Headers {
		out.Header.Add(header.Name, header.Value)
	}
	u, err := url.Parse(in.URL)
	if err != nil {
		return nil, errors.New("request.url is not a URL")
	}
	out.RawQuery = u.RawQuery
	return out, nil
}

func compareRejection(err error, want v1alpha1.RejectionReason) string {
	var rejection *verify.Rejection
	if errors.As(err, &rejection) && string(rejection.Reason) == string(want) {
		return ""
	}
	if want == "" {
		return fmt.Sprintf("it should be accepted, and it is rejected (%v)", err)
	}
	return fmt.Sprintf("it should be rejected for %s, and it is for another reason (%v)", want, err)
}

func compareEvent(got outcome, want *v1alpha1.Expectation) string {
	switch {
	case want.Handshake != nil:
		return fmt.Sprintf("it should be the handshake %q, and it is an event", want.Handshake.Name)
	case want.Scheme != "" && got.scheme != want.Scheme:
		return fmt.Sprintf("it should be verified by the scheme %q, and it is by %q", want.Scheme, got.scheme)
	case got.event.ID != want.ID:
		return fmt.Sprintf("the event id should be %q, and it is %q", want.ID, got.event.ID)
	case got.event.Type != want.Type:
		return fmt.Sprintf("the event type should be %q, and it is %q", want.Type, got.event.Type)
	}
	return ""
}

func compareHandshake(got *verify.Answer, want *v1alpha1.ExpectedHandshake) string {
	if want == nil {
		return fmt.Sprintf("it should be an event, and it is the handshake %q", got.Handshake)
	}
	status := int(valueOrDefault(want.Status, http.StatusOK))
	switch {
	case got.Handshake != want.Name:
		return fmt.Sprintf("it should be the handshake %q, and it is %q", want.Name, got.Handshake)
	case got.Status != status:
		return fmt.Sprintf("the status of the answer should be %d, and it is %d", status, got.Status)
	case string(got.Body) != want.Body:
		return fmt.Sprintf("the body of the answer should be %q, and it is %q", want.Body, got.Body)
	case got.Confirm != want.Confirm:
		return fmt.Sprintf("the URL to confirm should be %q, and it is %q", want.Confirm, got.Confirm)
	}
	for _, header := range want.Headers {
		if value := got.Header.Get(header.Name); value != header.Value {
			return fmt.Sprintf("the header %s of the answer should be %q, and it is %q", header.Name, header.Value, value)
		}
	}
	return ""
}
