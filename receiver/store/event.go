package store

import (
	"net/http"

	"sallyport.dev/sallyport/receiver/event"
)

// Event is one verified webhook, as it is stored and as it is handed to a
// target. Treat an Event and all it refers to as read-only once it was given to
// the store or came out of it: several deliveries may share it.
type Event struct {
	event.Meta
	// TraceParent is the W3C traceparent header to continue; may be empty.
	TraceParent string
	// Scheme names the scheme of the provider that the request was verified by; empty
	// in events that an earlier version stored.
	Scheme string
	// Method is the HTTP method of the request.
	Method string
	// URL is the public URL that the sender was given, without a query, but with the "?"
	// of one that is empty; empty if it was not known.
	URL string
	// Query is what the request had behind "?", byte for byte, without credentials.
	Query string
	// Header is without credentials. Values are kept byte for byte, valid UTF-8 or not.
	Header http.Header
	// Credentials are kept only for targets that check them themselves; nil: none are.
	Credentials *Credentials
	// Body is the raw body.
	Body []byte
}

// Credentials are what of a request proves to anybody who reads it that he is the
// sender. They stand apart, so that nothing shows them by mistake.
type Credentials struct {
	// Header are the headers of Event.Header's kind that hold some.
	Header http.Header
	// Query is the query with them; empty if they are not in it.
	Query string
}
