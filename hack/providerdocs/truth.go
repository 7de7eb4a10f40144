package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// truth is a row of the table of what is known of all senders, and where from.
type truth struct {
	Name  string
	Cells []string
}

// truthColumns are the heads of the table, behind the preset.
var truthColumns = []string{
	"methods", "event id", "of each event", "over retries", "signed", "a retry is signed", "tolerance", "remembered for", "retries", "largest body",
	"taken for success", "probes and handshakes",
}

// checkTruth wants a source for everything that the table says.
func (p *preset) checkTruth() error {
	f := p.Spec.Facts
	var problems []error
	for _, wanted := range []struct {
		field   string
		missing bool
	}{
		{"methods", f.Methods == nil},
		{"id", f.ID == nil},
		{"retries", f.Retries == nil},
		{"retry", f.Retry == ""},
		{"bodies", f.Bodies == nil},
		{"answers", f.Answers == nil},
		{"success", f.Success == ""},
		{"handshakes", f.Handshakes == nil},
	} {
		if wanted.missing {
			problems = append(problems, fmt.Errorf("spec.facts.%s is missing: the table of what is known has an empty cell", wanted.field))
		}
	}
	return errors.Join(problems...)
}

// Truth is the row of the preset.
func (p *preset) Truth() (truth, error) {
	f := p.Spec.Facts
	row := truth{Name: p.Name, Cells: []string{
		p.Methods() + p.from(*f.Methods),
		enumerate(codes(p.Sender.Provider.Identity.ID), "or") + p.from(f.ID.FactSource),
		perEvent[f.ID.PerEvent] + p.from(f.ID.FactSource),
		overRetries[f.ID.OverRetries] + p.from(f.ID.FactSource),
		p.idSigned(),
		retrySigned[f.Retries.Signature] + p.from(f.Retries.FactSource),
		p.Tolerances(),
		p.Window(),
		cell(f.Retry) + p.from(f.Retries.FactSource),
		p.MaxBodyBytes() + p.from(*f.Bodies),
		cell(f.Success) + p.from(*f.Answers),
		p.handshakeNames() + p.from(*f.Handshakes),
	}}
	for i, text := range row.Cells {
		if strings.TrimSpace(text) == "" {
			return row, fmt.Errorf("%s: the cell %q is empty", p.Name, truthColumns[i])
		}
	}
	return row, nil
}

var (
	perEvent    = map[string]string{"Unique": "unique", "Shared": "shared by some", "Unknown": "unknown"}
	overRetries = map[string]string{"Same": "the same", "Different": "another", "Unknown": "unknown", "None": "no retries"}
	retrySigned = map[string]string{
		"Anew": "anew", "Kept": "as the first", "Timeless": "as the first: no time is signed", "Unknown": "unknown", "None": "no retries",
	}
)

// marks are the short forms of confidences.
var marks = map[v1alpha1.FactConfidence]string{"Official": "O", "ThirdParty": "T", "Unverified": "U"}

// from is a mark that leads to the source of a cell: to the document, or to the page
// that says how it was decided.
func (p *preset) from(s v1alpha1.FactSource) string {
	at := p.Name + ".md#what-is-known-of-the-sender"
	if address := address(s.Source); address != "" {
		at = address
	}
	return fmt.Sprintf(" [%s](%s)", marks[s.Confidence], at)
}

// address is the text if it is a URL, else empty.
func address(text string) string {
	if strings.HasPrefix(text, "https://") && !strings.ContainsAny(text, " ()") {
		return text
	}
	return ""
}

// Methods are those by which events come.
func (p *preset) Methods() string {
	var names []string
	for i := range p.Sender.Provider.Schemes {
		for _, name := range p.Sender.Provider.Schemes[i].Methods {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if len(p.Sender.Provider.Schemes[i].Methods) == 0 && !slices.Contains(names, http.MethodPost) {
			names = append(names, http.MethodPost)
		}
	}
	return strings.Join(names, ", ")
}

// idSigned says whether the signature covers the id: the compiler knows.
func (p *preset) idSigned() string {
	switch {
	case p.Sender.Provider.IDCovered():
		return "yes"
	case p.signsSomeIDs():
		return "by some schemes"
	}
	return "no"
}

// Tolerances are how far the times of requests may be from now.
func (p *preset) Tolerances() string {
	var list []string
	add := func(text string) {
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for i := range p.Spec.Verify {
		switch s := &p.Spec.Verify[i]; {
		case s.JWT != nil && s.JWT.MaxAge != nil:
			add(duration(s.JWT.MaxAge.Duration))
		case s.JWT != nil:
			add("until the token expires")
		case s.Timestamp == nil:
			add("none: there is no time")
		case s.Timestamp.Tolerance == nil:
			add("none: the time is not judged")
		default:
			add(duration(s.Timestamp.Tolerance.Duration))
		}
	}
	return enumerate(list, "or")
}

func (p *preset) handshakeNames() string {
	var names []string
	for i := range p.Spec.Handshakes {
		names = append(names, code(p.Spec.Handshakes[i].Name))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Moving is what to know of the preset for a handler that checks requests itself, a
// sentence each.
func (p *preset) Moving() (list []string) {
	say := func(there bool, text string) {
		if there && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for i := range p.Spec.Verify {
		s := &p.Spec.Verify[i]
		mac := strings.HasPrefix(string(s.Algorithm), "HMAC-") || s.Algorithm == "SHA256"
		timed := s.Timestamp != nil || s.JWT != nil
		say(mac && timed, "What is signed has a time in it, which a handler that checks it finds too old after a retry, a pause or a replay. "+
			"`target.signature: Fresh` signs each attempt anew, with the endpoint's secret.")
		say(!mac && timed, "What is signed has a time in it, and only the sender can sign: a handler that checks it must not refuse old ones. "+
			"Let it trust `target.signingSecretRef` instead.")
		say(mac && !timed && s.Algorithm != "JWT", "What is signed has no time in it: the signature that arrives verifies at any time.")
		say(s.Algorithm == "Token" || s.Algorithm == "Basic", "The sender sends the secret itself, in the "+locations(s.Signature.From)+
			". The target doesn't get it, unless `target.credentials` is `Forward`.")
	}
	say(p.Sender.NeedsURL, "The public URL is signed: a handler finds it in the header `Sallyport-Url`.")
	return list
}
