package intake

import "errors"

// find looks up the route. A path without an endpoint gets 404. An endpoint that
// can't serve now gets 503, whatever the request is like, because a sender may give
// an event up after a 4xx. Until the routes are loaded, any path may have an
// endpoint.
func (h *Handler) find(x *exchange) error {
	table := h.Routes.Table()
	x.entry = table.Lookup(x.r.URL.Path, x.r.Host)
	switch {
	case x.entry == nil && !table.Listed():
		return unavailable("the receiver is starting, please send again", retryBusy, errors.New("the routes are not loaded yet"))
	case x.entry == nil:
		return noEndpoint()
	}
	x.meta.Endpoint, x.meta.EndpointUID, x.meta.Provider = x.entry.Name, x.entry.Route.Endpoint.UID, x.entry.Route.Provider.Name
	x.memory = reservation{memory: h.memory, endpoint: x.entry.Name, sync: x.entry.Route.Delivery.Sync}
	if why := x.entry.Unavailable(); why != "" {
		return unavailable("the endpoint can't serve now, please send again later", retryRoute, errors.New(why))
	}
	return nil
}
