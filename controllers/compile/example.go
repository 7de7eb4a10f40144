package compile

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// runExample verifies the request of an example and compares what comes of it
// with what the example states. It returns what differs; empty: nothing.
func runExample(verifier *verify.Verifier, test *v1alpha1.ProviderTest) string {
	request, err := exampleRequest(&test.Request)
	if err != nil {
		return err.Error()
	}
	var now time.Time
	if test.Now != nil {
		now = test.Now.Time
	}
	verdict, err := verifier.Verify(request, &verify.Material{Secrets: []secret.Value{secret.New([]byte(test.Secret))}}, now)
	var event verify.Identification
	if err == nil {
		event, err = verifier.Identify(request, verdict)
	}
	if err != nil {
		return compareRejection(err, test.Expect.Rejected)
	}
	return compareEvent(verdict.Scheme, event, &test.Expect)
}

func exampleRequest(in *v1alpha1.ExampleRequest) (*verify.Request, error) {
	out := &verify.Request{Method: in.Method, URL: in.URL, Header: http.Header{}, Body: []byte(in.Body)}
	if out.Method == "" {
		out.Method = http.MethodPost // the API server's default; presets serve without having been there
	}
	if in.BodyBase64 != nil {
		out.Body = in.BodyBase64
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

func compareEvent(scheme string, got verify.Identification, want *v1alpha1.Expectation) string {
	switch {
	case want.Rejected != "":
		return fmt.Sprintf("it should be rejected for %s, and it is accepted", want.Rejected)
	case want.Scheme != "" && scheme != want.Scheme:
		return fmt.Sprintf("it should be verified by the scheme %q, and it is by %q", want.Scheme, scheme)
	case got.ID != want.ID:
		return fmt.Sprintf("the event id should be %q, and it is %q", want.ID, got.ID)
	case got.Type != want.Type:
		return fmt.Sprintf("the event type should be %q, and it is %q", want.Type, got.Type)
	}
	return ""
}
