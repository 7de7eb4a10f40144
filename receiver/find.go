package receiver

import (
	"errors"
	"net/http"
)

// find looks up the route. A path that nobody claims is 404; an endpoint that
// exists but can't serve now is 503, whatever else the request is like: a
// sender that gets a 4xx may give the event up.
func (h *Handler) find(x *exchange) error {
	x.entry = h.routes.Table().Lookup(x.r.URL.Path, x.r.Host)
	if x.entry == nil {
		return &reject{status: http.StatusNotFound, reason: "no endpoint has this path; see the URL in the status of the WebhookEndpoint"}
	}
	x.memory = reservation{endpoint: x.entry.BytesInFlight, receiver: &h.bytesInFlight}
	if why := x.entry.Unavailable(); why != "" {
		return unavailable("the endpoint can't serve now, please send again later", retryRoute, errors.New(why))
	}
	return nil
}
