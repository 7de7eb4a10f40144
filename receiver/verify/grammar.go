package verify

import (
	"errors"
	"fmt"
	"strings"
)

// blanks are what may stand around the items of a header (RFC 9110 §5.6.3).
const blanks = " \t"

// candidate is one signature of a request, not decoded yet.
type candidate struct {
	text  string
	keyID string // by Pairs
}

// found is what the grammar found: all candidates, and the timestamp if it
// stands among them.
type found struct {
	candidates []candidate
	timestamp  string
}

// add takes a candidate, up to the bound: each costs a comparison with every key.
func (f *found) add(c candidate) *Rejection {
	if len(f.candidates) == maxCandidates {
		return reject(MalformedSignature, "there are more than %d signatures: send fewer", maxCandidates)
	}
	f.candidates = append(f.candidates, c)
	return nil
}

// parse takes a value apart and adds its candidates to f.
func (g Signature) parse(value string, f *found) *Rejection {
	if len(value) > maxSignature {
		return reject(MalformedSignature, "the signature is longer than %d bytes", maxSignature)
	}
	switch {
	case g.List != nil:
		return g.List.parse(value, f)
	case g.KeyValue != nil:
		return g.KeyValue.parse(value, f)
	case g.Pairs != nil:
		return g.Pairs.parse(value, f)
	}
	text, ok := strings.CutPrefix(value, g.Prefix)
	if !ok && !g.PrefixOptional {
		return reject(MalformedSignature, "the signature must start with %q", g.Prefix)
	}
	return f.add(candidate{text: text})
}

// parse takes the items of this scheme's version and skips all others: senders
// add versions while they migrate. Only the exact prefix counts, so that a
// weaker version can't stand in.
func (l *List) parse(value string, f *found) *Rejection {
	for item := range strings.SplitSeq(value, l.Separator) {
		if l.TrimSpace {
			item = strings.Trim(item, blanks)
		}
		text, ok := strings.CutPrefix(item, l.Prefix)
		if !ok && !l.PrefixOptional || item == "" {
			continue
		}
		if rejection := f.add(candidate{text: text}); rejection != nil {
			return rejection
		}
	}
	return nil
}

// parse reads the items. A part that is not an item, or a second timestamp, makes the
// value malformed: the timestamp that is checked must be the one that is signed.
func (kv *KeyValue) parse(value string, f *found) *Rejection {
	for item := range strings.SplitSeq(value, kv.Separator) {
		if kv.TrimSpace {
			item = strings.Trim(item, blanks)
		}
		name, text, ok := strings.Cut(item, kv.Equals)
		switch {
		case !ok:
			return reject(MalformedSignature, "each item of the signature must be written name%svalue", kv.Equals)
		case name == kv.SignatureKey:
			if rejection := f.add(candidate{text: text}); rejection != nil {
				return rejection
			}
		case kv.TimestampKey != "" && name == kv.TimestampKey:
			if f.timestamp != "" || text == "" {
				return reject(MalformedSignature, "the item %q must occur once and have a value", kv.TimestampKey)
			}
			f.timestamp = text
		}
	}
	return nil
}

// parse reads pairs of key id and signature.
func (p *Pairs) parse(value string, f *found) *Rejection {
	for pair := range strings.SplitSeq(value, p.Separator) {
		id, text, ok := strings.Cut(pair, p.Equals)
		if !ok || id == "" {
			return reject(MalformedSignature, "each part of the signature must be written id%ssignature", p.Equals)
		}
		if rejection := f.add(candidate{keyID: id, text: text}); rejection != nil {
			return rejection
		}
	}
	return nil
}

// spelling says how a signature is written.
func (g Signature) spelling() string {
	text := g.Encoding.spelling()
	prefix, optional := g.Prefix, g.PrefixOptional
	switch {
	case g.List != nil:
		prefix, optional = g.List.Prefix, g.List.PrefixOptional
	case g.KeyValue != nil:
		prefix = g.KeyValue.SignatureKey + g.KeyValue.Equals
	case g.Pairs != nil:
		return fmt.Sprintf("%s, and the id of the key and %q before it", text, g.Pairs.Equals)
	}
	switch {
	case prefix == "":
		return text
	case optional:
		return fmt.Sprintf("%s, and %q before it or nothing", text, prefix)
	}
	return fmt.Sprintf("%s, and %q before it", text, prefix)
}

// validate reports what is wrong with the grammar.
func (g Signature) validate() error {
	set := 0
	for _, is := range [...]bool{g.Prefix != "", g.List != nil, g.KeyValue != nil, g.Pairs != nil} {
		if is {
			set++
		}
	}
	var errs []error
	if set > 1 {
		errs = append(errs, errors.New("set at most one of prefix, list, keyValue and pairs"))
	}
	if g.PrefixOptional && g.Prefix == "" {
		errs = append(errs, errors.New("prefixOptional needs a prefix"))
	}
	if len(g.Prefix) > maxName {
		errs = append(errs, fmt.Errorf("prefix is longer than %d bytes", maxName))
	}
	if l := g.List; l != nil {
		errs = append(errs, text("list.separator", l.Separator), atMost("list.prefix", l.Prefix))
		if l.PrefixOptional && l.Prefix == "" {
			errs = append(errs, errors.New("list.prefixOptional needs a prefix"))
		}
	}
	if kv := g.KeyValue; kv != nil {
		errs = append(errs, text("keyValue.separator", kv.Separator), text("keyValue.equals", kv.Equals),
			text("keyValue.signatureKey", kv.SignatureKey), atMost("keyValue.timestampKey", kv.TimestampKey))
		if kv.SignatureKey == kv.TimestampKey || kv.Separator == kv.Equals {
			errs = append(errs, errors.New("keyValue: signatureKey and timestampKey, and separator and equals, must differ"))
		}
	}
	if p := g.Pairs; p != nil {
		errs = append(errs, text("pairs.separator", p.Separator), text("pairs.equals", p.Equals))
	}
	return errors.Join(errs...)
}

// text checks a string that must not be empty.
func text(field, value string) error {
	if value == "" {
		return fmt.Errorf("%s is missing", field)
	}
	return atMost(field, value)
}

func atMost(field, value string) error {
	if len(value) > maxName {
		return fmt.Errorf("%s is longer than %d bytes", field, maxName)
	}
	return nil
}
