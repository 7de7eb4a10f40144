package send

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/verify"
)

// Example is an event to send, without a signature.
type Example struct {
	// Method is how it is sent; Query is the query of its URL, where that is the event
	// and there is no body.
	Method, Query string
	Header        http.Header
	Body          []byte
	// EventType is what a receiver will read in it, if it is left as it is.
	EventType string
}

// Sample returns an event of the provider: an example of its own that is accepted
// and is no handshake; if a scheme is named, one that the scheme accepts, where there
// is one: schemes differ in the bodies that they are for. Signatures are taken out of
// the headers, and the event gets a fresh id where there is a place for one, so that
// what is sent twice is two events. Some providers number nothing: there, an event
// with the same body is the same event. Times stay what they are. ok is false if there
// is no such example, or the provider is not valid.
func Sample(p *v1alpha1.WebhookProvider, scheme string) (sample Example, ok bool) {
	sender := provider.Compile(p)
	if sender.Problem != "" {
		return Example{}, false
	}
	request, eventType := example(p, sender.Verifier, scheme)
	if request == nil {
		return Example{}, false
	}
	for i := range p.Spec.Verify {
		for _, at := range p.Spec.Verify[i].Signature.From {
			request.Header.Del(at.Header)
		}
	}
	sample = Example{Method: request.Method, Header: request.Header, Body: request.Body, EventType: eventType}
	if len(request.Body) == 0 {
		sample.Query = request.RawQuery
	}
	return sample, true
}

// example is the first example in which an event can have another id, or else the
// first one that is an event; nil: there is none. Those of the scheme of that name, if
// there are any, go before all others.
func example(p *v1alpha1.WebhookProvider, verifier *verify.Verifier, scheme string) (chosen *verify.Request, eventType string) {
	ofScheme := func(test v1alpha1.ProviderTest) bool { return test.Expect.ID != "" && test.Expect.Scheme == scheme }
	whichever := !slices.ContainsFunc(p.Spec.Tests, ofScheme)
	for i := range p.Spec.Tests {
		test := &p.Spec.Tests[i]
		if test.Expect.ID == "" || !whichever && !ofScheme(*test) {
			continue
		}
		request := exampleRequest(&test.Request)
		fresh := verifier.PutEventID(request, test.Expect.Scheme, freshID())
		if fresh || chosen == nil {
			chosen, eventType = request, test.Expect.Type
		}
		if fresh {
			break
		}
	}
	return chosen, eventType
}

// exampleRequest is the request of an example.
func exampleRequest(in *v1alpha1.ExampleRequest) *verify.Request {
	body, _ := in.Bytes() // the example comes out as stated, so it can be read
	out := &verify.Request{Method: cmp.Or(in.Method, http.MethodPost), URL: in.URL, Header: http.Header{}, Body: body}
	for _, field := range in.Headers {
		out.Header.Add(field.Name, field.Value)
	}
	if u, err := url.Parse(in.URL); err == nil {
		out.RawQuery = u.RawQuery
	}
	return out
}
