package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
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
	// if the request has none.
	Type string
}

// Identify says which event a request is that Verify accepted with that
// verdict. It is the first to look into the body, but for schemes that sign
// members of it. The error is a *Rejection.
func (v *Verifier) Identify(r *Request, verdict Verdict) (Identification, error) {
	r.judgedBy(v.bodies, false)
	s := &scope{request: r, id: verdict.id, timestamp: verdict.timestamp, signed: verdict.ContentSHA256}
	id, rejection := first(v.ids, s)
	if rejection == nil {
		rejection = v.checkID(r, id)
	}
	if rejection != nil {
		return Identification{}, rejection
	}
	kind, rejection := first(v.types, s)
	if rejection != nil {
		return Identification{}, rejection
	}
	if !printable(kind) {
		kind = "" // a type is for routing: what can't be a type matches no route
	}
	return Identification{ID: fit(id), Type: kind}, nil
}

// fit is the id as it can stand in a header, a log and a key, whatever the sender
// wrote: what can't, or is too long, is told by its digest.
func fit(id string) string {
	invisible := func(r rune) bool { return r < ' ' || r > '~' }
	if len(id) <= maxIdentity && !strings.ContainsFunc(id, invisible) && strings.Trim(id, " ") == id {
		return id
	}
	return fmt.Sprintf("sha256-%x", sha256.Sum256([]byte(id)))
}

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

// batch is the id of a request with several events: one id stays itself, several
// are told by how many they are and a digest of them all, in their order.
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

// kinds is the type of a request with several events: the different types in
// their order, as many as a type may be long. Of a single one nothing is cut off.
func kinds(types []string) string {
	if len(types) == 1 {
		return types[0]
	}
	var (
		distinct []string
		length   int
	)
	for _, kind := range types {
		if !printable(kind) || slices.Contains(distinct, kind) {
			continue
		}
		if length += len(kind) + len(","); length > maxIdentity+len(",") {
			break
		}
		distinct = append(distinct, kind)
	}
	return strings.Join(distinct, ",")
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
