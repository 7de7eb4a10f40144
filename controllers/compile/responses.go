package compile

import (
	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// defaultContentType is that of an answer with a body.
const defaultContentType = "text/plain"

// responses makes the part of the route that says how to answer the sender.
func responses(spec *v1alpha1.ProviderResponses) route.Responses {
	if spec == nil {
		return route.Responses{}
	}
	out := route.Responses{
		Unauthenticated: int(spec.Unauthenticated),
		Malformed:       int(spec.Malformed),
		Overloaded:      int(spec.Overloaded),
		Forbidden:       int(spec.Forbidden),
		TooLarge:        int(spec.TooLarge),
		Invalid:         int(spec.Invalid),
		EmptyRefusals:   spec.RefusalBody == v1alpha1.RefusalBodyEmpty,
	}
	if s := spec.Success; s != nil {
		out.Success = &route.Response{Status: int(s.Status), ContentType: s.ContentType, Body: s.Body}
		if s.Body != "" && s.ContentType == "" {
			out.Success.ContentType = defaultContentType
		}
	}
	return out
}
