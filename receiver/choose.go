package receiver

import (
	"sallyport.dev/sallyport/receiver/match"
)

// choose finds out who gets the event. It comes after the verification, so that
// nobody else can make expressions be evaluated, and sees what is stored: the
// sender's own secret is no header of it, and not in its query.
//
// An event of which can't be said where it belongs is not taken: whoever mends
// the expression gets it when the sender sends it again.
func (h *Handler) choose(x *exchange) error {
	event := &match.Event{
		ID:       x.event.ID,
		Type:     x.event.Type,
		Provider: x.entry.Route.Provider.Name,
		Body:     x.body,
	}
	if len(x.entry.Route.Routes) > 0 {
		event.Header, event.Query = x.storedHeader(), x.storedQuery()
	}
	targets, err := x.entry.Choose(event)
	if err != nil {
		return unavailable("the event could not be assigned to a target, please send again later", retryRoute, err)
	}
	x.targets = targets
	return nil
}
