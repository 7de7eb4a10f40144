package intake

import (
	"errors"

	"sallyport.dev/sallyport/receiver/match"
)

// choose finds the routes that take the event. It comes after the verification, so
// that strangers can't make us evaluate expressions. Expressions see the headers and
// the query that are stored, without the sender's secret.
//
// If an expression fails, the default target gets the event. Without such a target
// the event is refused with 503: the sender sends it again, so nothing is lost once
// the expression is fixed.
func (h *Handler) choose(x *exchange) error {
	event := &match.Event{
		ID:        x.meta.ID,
		Type:      x.meta.Type,
		Types:     x.event.Types,
		MoreTypes: x.event.TypesOverflow,
		Provider:  x.meta.Provider,
	}
	if len(x.entry.Route.Routes) > 0 {
		event.Header, event.Query, event.Body = x.storedHeader(), x.storedQuery(), x.readable
	}
	targets, err := x.entry.Choose(event)
	if x.parsed > 0 {
		x.memory.shrink(x.parsed) // what was parsed is not used any more
	}
	switch {
	case x.crowded:
		return noMemory()
	case err == nil:
	case len(targets) > 0:
		x.note = err.Error()
	case errors.Is(err, match.ErrUnknown):
		return unavailable("the event can't be read, so it could not be assigned to a target; please send again later", retryRoute, err)
	default:
		return unavailable("the event could not be assigned to a target, please send again later", retryRoute, err)
	}
	x.targets = targets
	return nil
}

// readable is the body as expressions can read it.
func (x *exchange) readable() match.Body {
	document, ok := x.signed.Document()
	body := match.Body{
		Document: document, Unreadable: !ok, JSONFields: x.entry.Route.Provider.JSONFormFields, Reserve: x.reserveParsed,
	}
	if fields, isForm := x.signed.Form(); isForm {
		body.Form = fields
	}
	return body
}

// reserveParsed takes memory for JSON that is parsed for expressions.
func (x *exchange) reserveParsed(n int64) bool {
	if !x.reserve(n) {
		return false
	}
	x.parsed += n
	return true
}
