package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Identification says which event a request is.
type Identification struct {
	// ID is the event id: 1 to 256 visible characters of ASCII, between which there may be
	// spaces. One that the sender writes otherwise is "sha256-" and its digest in hex.
	ID string
	// Type is the event type, at most 256 bytes of UTF-8 without control characters; empty
	// if the request has none. That of a batch is for people: Types with commas between
	// them, and "…" at the end if some are missing.
	Type string
	// Types are the different types of a batch, in their order, at most 64; of any other
	// event, its one.
	Types []string
	// TypesOverflow: there are other types than Types.
	TypesOverflow bool
}

// Identify says which event a request is that Verify accepted with that
// verdict. It is the first to look into the body, but for schemes that sign
// members of it. The error is a *Rejection.
func (v *Verifier) Identify(r *Request, verdict Verdict) (Identification, error) {
	r.judgedBy(v.bodies, false)
	s := &scope{request: r, id: verdict.id, timestamp: verdict.timestamp, signed: verdict.ContentSHA256}
	id, rejection := first(v.ids, s)
	if rejection == nil && !verdict.credential && v.passedOver(s) {
		// Nobody signs the header: with another id it would be another event.
		rejection = reject(MalformedBody, "the body can't be decompressed (Content-Encoding), and the event id may be in it")
	}
	if rejection == nil {
		rejection = v.checkID(r, id)
	}
	if rejection != nil {
		return Identification{}, rejection
	}
	types, rejection := v.typesOf(s)
	if rejection != nil {
		return Identification{}, rejection
	}
	return Identification{ID: fit(id), Type: types.text(), Types: types.list, TypesOverflow: types.more}, nil
}

// passedOver reports whether a place of the event id that comes before the one it was
// found in is in a body that can't be read.
func (v *Verifier) passedOver(s *scope) bool {
	if s.request.decodable() {
		return false
	}
	for _, t := range v.ids {
		if _, ok, _ := t.text(s); ok {
			return false
		}
		if t.has("json") || t.has("form") {
			return true
		}
	}
	return false
}

// fit is the id as it can stand in a header, a log and a key, whatever the sender
// wrote: its digest stands for an id that can't, or that is too long.
func fit(id string) string {
	invisible := func(r rune) bool { return r < ' ' || r > '~' }
	if len(id) <= maxIdentity && !strings.ContainsFunc(id, invisible) && strings.Trim(id, " ") == id {
		return id
	}
	return fmt.Sprintf("sha256-%x", sha256.Sum256([]byte(id)))
}

// HeaderID is an event id as it can stand in a header. Identify returns such ids, but
// what an earlier version stored may be another.
func HeaderID(id string) string { return fit(id) }

// first is the text of the first template whose variables are all there.
func first(templates []template, s *scope) (string, *Rejection) {
	for _, t := range templates {
		text, ok, rejection := t.text(s)
		if ok || rejection != nil {
			return text, rejection
		}
	}
	return "", nil
}

// checkID refuses what can't be an event id.
func (v *Verifier) checkID(r *Request, id string) *Rejection {
	switch {
	case id == "" && v.readsJSON() && !r.isJSON():
		return reject(MalformedBody, "the body must be JSON: the event id is in it")
	case id == "":
		return reject(MissingID, "there is no event id: it must be in %s", v.idPlaces())
	}
	return nil
}

// printable reports whether text can stand in headers, logs and keys.
func printable(text string) bool { return clean(text, maxIdentity) }

// clean reports whether text is UTF-8 without control characters, and not too long.
func clean(text string, limit int) bool {
	if len(text) > limit || !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// batch is the id of a request with several events: one id stays itself; several become
// their number and a digest of them all, in their order.
func batch(ids []string) string {
	switch len(ids) {
	case 0:
		return ""
	case 1:
		return ids[0]
	}
	h := sha256.New()
	for _, id := range ids {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(id)))) // "a","bc" is not "ab","c"
		_, _ = h.Write([]byte(id))
	}
	return fmt.Sprintf("batch-%d-%x", len(ids), h.Sum(nil)[:16])
}

func (v *Verifier) readsJSON() bool {
	for _, t := range v.ids {
		if t.has("json") {
			return true
		}
	}
	return false
}

// idPlaces names what the id is made of.
func (v *Verifier) idPlaces() string {
	alternatives := make([]string, len(v.ids))
	for i, t := range v.ids {
		alternatives[i] = t.describe()
	}
	return strings.Join(alternatives, ", or ")
}
