package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"
)

// The value of an event starts with its state, so that a script reads one
// byte of it and not the body.
const (
	statePending   = 'P' // a record: the payload is needed
	stateDelivered = 'D' // a marker: an earlier version remembered a delivered event by it
)

// recordVersion is the format that this build writes. The scripts know it, too:
// the state, the digest, the times and the endpoint are where they were in version 1.
const recordVersion = 2

// plainVersion is the format before there were query, URL, scheme and credentials.
// What was stored in it is read as if the requests had none.
const plainVersion = 1

// digestStart and digestEnd bound the digest of the signed content in records
// and markers, after the state and the version. All zero: not remembered.
const (
	digestStart = 2
	digestEnd   = digestStart + 32
)

// errUnreadable says that a stored record can't be decoded: it is damaged, or a
// newer version of this program wrote it.
var errUnreadable = errors.New("stored record is damaged or of a newer version")

// errForeign is an errUnreadable of what is no record of a known version at all.
var errForeign = fmt.Errorf("%w: it does not start as a record of the versions %d and %d does", errUnreadable, plainVersion, recordVersion)

// record is what is stored of an event while a delivery of the event is pending.
//
// The format is binary rather than JSON: header values need not be UTF-8, and
// JSON would change such bytes.
type record struct {
	event *Event
	facts
}

// facts are what the transitions of a delivery need to know about its event. A
// Lease refers to them and not to the record, so that it doesn't hold the body.
type facts struct {
	endpoint string   // of the event
	content  [32]byte // digest of the signed content; zero: not remembered
	targets  []string // all deliveries of the event
	window   time.Time
	received time.Time
}

// encode returns the value of the event.
func (r *record) encode() []byte {
	e := r.event
	b := make([]byte, 0, r.size())
	b = append(b, statePending, recordVersion)
	b = append(b, r.content[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.window.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(e.ReceivedAt.UnixNano()))
	for _, s := range e.strings(recordVersion) {
		b = appendString(b, *s)
	}
	b = appendStrings(b, r.targets)
	b = appendHeader(b, e.Header)
	b = appendCredentials(b, e.Credentials)
	return append(b, e.Body...)
}

// size is at least the number of bytes of the value, and not much more: a body is
// never copied because a header had no room.
func (r *record) size() int {
	n := digestEnd + 16 + 2*binary.MaxVarintLen16 + 1 + len(r.event.Body)
	for _, s := range r.event.strings(recordVersion) {
		n += textSize(*s)
	}
	for _, target := range r.targets {
		n += textSize(target)
	}
	n += headerSize(r.event.Header)
	if c := r.event.Credentials; c != nil {
		n += textSize(c.Query) + binary.MaxVarintLen16 + headerSize(c.Header)
	}
	return n
}

// textSize is the most that appendString adds.
func textSize(s string) int { return binary.MaxVarintLen32 + len(s) }

func headerSize(header http.Header) int {
	n := 0
	for name, values := range header {
		n += textSize(name) + binary.MaxVarintLen16
		for _, value := range values {
			n += textSize(value)
		}
	}
	return n
}

// strings lists the text fields in the order of a format.
func (e *Event) strings(version byte) []*string {
	fields := []*string{&e.Endpoint, &e.EndpointUID, &e.Provider, &e.ID, &e.Type, &e.RequestID, &e.SourceIP,
		&e.TraceParent, &e.Method}
	if version == plainVersion {
		return fields
	}
	return append(fields, &e.Scheme, &e.URL, &e.Query)
}

func appendHeader(b []byte, header http.Header) []byte {
	b = binary.AppendUvarint(b, uint64(len(header)))
	for _, name := range sortedNames(header) {
		b = appendString(b, name)
		b = appendStrings(b, header[name])
	}
	return b
}

// appendCredentials writes how many there are, 0 or 1, and then those.
func appendCredentials(b []byte, c *Credentials) []byte {
	if c == nil {
		return append(b, 0)
	}
	return appendHeader(appendString(append(b, 1), c.Query), c.Header)
}

// sortedNames makes equal events equal bytes.
func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// decodeRecord reads a value written by encode. It allocates no more than a
// small multiple of len(b). The error wraps errUnreadable.
func decodeRecord(b []byte) (*record, error) {
	if len(b) < digestEnd+16 || b[0] != statePending || b[1] != recordVersion && b[1] != plainVersion {
		return nil, errForeign
	}
	version := b[1]
	r := &record{event: &Event{}}
	copy(r.content[:], b[digestStart:digestEnd])
	r.window = time.UnixMilli(int64(binary.BigEndian.Uint64(b[digestEnd:])))
	r.received = time.Unix(0, int64(binary.BigEndian.Uint64(b[digestEnd+8:]))).UTC()
	r.event.ReceivedAt = r.received
	d := decoder{rest: b[digestEnd+16:]}
	for _, s := range r.event.strings(version) {
		*s = d.string()
	}
	r.endpoint = r.event.Endpoint
	r.targets = d.strings()
	r.event.Header = d.header()
	if version != plainVersion {
		r.event.Credentials = d.credentials()
	}
	if d.failed {
		return nil, fmt.Errorf("%w: a field is longer than what is left", errUnreadable)
	}
	r.event.Body, r.event.BodyBytes = d.rest, int64(len(d.rest))
	return r, nil
}

// decoder takes fields off the front of rest. After the first field that does
// not fit it returns only empty ones.
type decoder struct {
	rest   []byte
	failed bool
}

// number reads a length or a count. A number above the bytes that are left is
// no valid length, and no valid count, since each element takes a byte.
func (d *decoder) number() int {
	n, size := binary.Uvarint(d.rest)
	if d.failed || size <= 0 || n > math.MaxInt32 || int(n) > len(d.rest)-size {
		d.failed = true
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *decoder) string() string {
	n := d.number()
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

// strings and header need no bound of their own: number is never more than the
// bytes that are left, and an item takes at least one.
func (d *decoder) strings() []string {
	n := d.number()
	var list []string
	for i := 0; i < n && !d.failed; i++ {
		list = append(list, d.string())
	}
	return list
}

func (d *decoder) header() http.Header {
	n := d.number()
	h := http.Header{}
	for i := 0; i < n && !d.failed; i++ {
		name := d.string()
		h[name] = d.strings()
	}
	return h
}

func (d *decoder) credentials() *Credentials {
	switch d.number() {
	case 0:
		return nil
	case 1:
		return &Credentials{Query: d.string(), Header: d.header()}
	}
	d.failed = true
	return nil
}
