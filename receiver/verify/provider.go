package verify

// Provider is a sender as data: how it proves who it is, and how its events are
// told apart. It is a value that can be written as JSON; treat it as read-only.
type Provider struct {
	// Name is what people call the provider, for example "github".
	Name string `json:"name"`
	// Schemes are the ways to sign, in order: the first one whose signature is
	// present judges the request.
	Schemes []Scheme `json:"schemes"`
	// Identity says which event a request is.
	Identity Identity `json:"identity"`
	// Handshakes are requests that are no events.
	Handshakes []Handshake `json:"handshakes,omitempty"`
	// JSONFormFields are the fields of forms that hold JSON, for expressions.
	JSONFormFields []string `json:"jsonFormFields,omitempty"`
	// Parameters are what templates and conditions may use beside the request.
	Parameters []Parameter `json:"parameters,omitempty"`
}

// Identity says how an event's id and type are read from a verified request.
// Of each list the first template counts whose variables are all present and
// not empty.
//
// In pointers of templates, "*" stands for all elements of an array. As a type,
// each element has its own: the variables with "*" of a template, which must run
// over one array, take its values, and elements that lack one are left to the
// templates after it. As an id, several values are "batch-", their number and a
// digest of them all; if one element lacks its value, or there are more than 10000,
// the variable counts as missing. What is found may be decoded in up to four
// steps, as in "{form:payload|json:/id}" and
// "{form:bt_payload|base64|xml:/notification/kind}".
type Identity struct {
	// ID are templates for the event id, for example "{header:X-GitHub-Delivery}".
	ID []string `json:"id"`
	// Type are templates for the event type; the type may be missing.
	Type []string `json:"type,omitempty"`
}
