package receiver

import (
	"errors"
	"net/http"
)

// find looks up the route. A path that nobody claims is 404; an endpoint that
// exists but can't serve now is 503, whatever else the request is like: a
// sender that gets a 4xx may give the event up. While the routes are not loaded,
// any path may be that of an endpoint.
func (h *Handler) find(x *exchange) error {
	table := h.routes.Table()
	x.entry = table.Lookup(x.r.URL.Path, x.r.Host)
	switch {
	case x.entry == nil && !table.Listed():
		return unavailable("the receiver is starting, please send again", retryBusy, errors.New("the routes are not loaded yet"))
	case x.entry == nil:
		return &reject{status: http.StatusNotFound, reason: "no endpoint has this path; see the URL in the status of the WebhookEndpoint"}
	}
	x.meta.Endpoint, x.meta.EndpointUID, x.meta.Provider = x.entry.Name, x.entry.Route.Endpoint.UID, x.entry.Route.Provider.Name
	x.memory = reservation{endpoint: x.entry.BytesInFlight, receiver: &h.bytesInFlight}
	if why := x.entry.Unavailable(); why != "" {
		return unavailable("the endpoint can't serve now, please send again later", retryRoute, errors.New(why))
	}
	return nil
}
