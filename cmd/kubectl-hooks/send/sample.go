package send

import (
	"net/http"
	"net/url"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/verify"
)

// Sample returns an event of the provider: an example of its own that is accepted
// and is no handshake. Signatures are taken out of the headers, and the event gets a
// fresh id where there is a place for one, so that what is sent twice is two events.
// Some providers number nothing: there, an event with the same body is the same
// event. Times stay what they are. ok is false if there is no such example, or the
// provider is not valid.
func Sample(p *v1alpha1.WebhookProvider) (body []byte, header http.Header, eventType string, ok bool) {
	sender := compile.Provider(p)
	if sender.Problem != "" {
		return nil, nil, "", false
	}
	verifier, err := verify.Compile(sender.Provider)
	if err != nil {
		return nil, nil, "", false
	}
	request, eventType := example(p, verifier)
	if request == nil {
		return nil, nil, "", false
	}
	for i := range p.Spec.Verify {
		for _, at := range p.Spec.Verify[i].Signature.From {
			request.Header.Del(at.Header)
		}
	}
	return request.Body, request.Header, eventType, true
}

// example is the first example in which an event can have another id, or else the
// first one that is an event; nil: there is none.
func example(p *v1alpha1.WebhookProvider, verifier *verify.Verifier) (chosen *verify.Request, eventType string) {
	for i := range p.Spec.Tests {
		test := &p.Spec.Tests[i]
		if test.Expect.ID == "" {
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
	out := &verify.Request{Method: http.MethodPost, URL: in.URL, Header: http.Header{}, Body: body}
	for _, field := range in.Headers {
		out.Header.Add(field.Name, field.Value)
	}
	if u, err := url.Parse(in.URL); err == nil {
		out.RawQuery = u.RawQuery
	}
	return out
}
