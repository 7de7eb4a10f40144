package verify

import (
	"strconv"
	"time"
)

// parseTimestamp reads text strictly: digits only, no sign, no space, no
// fraction. 15 digits hold every year that matters and can't overflow.
func (u Unit) parse(text string) (time.Time, bool) {
	if u == RFC3339 {
		t, err := time.Parse(time.RFC3339, text)
		return t, err == nil && len(text) <= maxTimestamp
	}
	if text == "" || len(text) > 15 {
		return time.Time{}, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if u == Milliseconds {
		return time.UnixMilli(n), err == nil
	}
	return time.Unix(n, 0), err == nil
}

// read takes the timestamp of a request, as text and as a time if it is
// understood. inSignature is what the grammar found.
func (t *compiledTimestamp) read(r *Request, inSignature string) (text string, at time.Time, rejection *Rejection) {
	where := "the signature"
	if text = inSignature; !t.inSignature {
		where = t.from.String()
		if text, rejection = r.lookup(t.from); rejection != nil {
			return "", time.Time{}, rejection
		}
	}
	if text == "" {
		return "", time.Time{}, reject(MissingTimestamp, "there is no timestamp in %s", where)
	}
	if len(text) > maxTimestamp {
		return "", time.Time{}, reject(MalformedTimestamp, "the timestamp in %s is longer than %d bytes", where, maxTimestamp)
	}
	if t.unit == "" {
		return text, time.Time{}, nil
	}
	at, ok := t.unit.parse(text)
	if !ok {
		return "", time.Time{}, reject(MalformedTimestamp, "the timestamp in %s must be %s", where, t.unit.describe())
	}
	return text, at, nil
}

// judge refuses a time that is too far from now, in either direction: a time in
// the future would let a captured request live for longer than the tolerance.
func (t *compiledTimestamp) judge(at, now time.Time) *Rejection {
	if t.tolerance == 0 || now.Sub(at).Abs() <= t.tolerance {
		return nil
	}
	direction := "old"
	if at.After(now) {
		direction = "far in the future"
	}
	return reject(TimestampOutsideTolerance, "the timestamp is too %s: it may differ by %s from the receiver's clock", direction, t.tolerance)
}

func (u Unit) describe() string {
	switch u {
	case Seconds:
		return "seconds since 1970 in decimal digits"
	case Milliseconds:
		return "milliseconds since 1970 in decimal digits"
	default:
		return "a time as in RFC 3339"
	}
}

func (u Unit) known() bool { return u == "" || u == Seconds || u == Milliseconds || u == RFC3339 }
