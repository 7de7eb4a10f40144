package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sallyport.dev/sallyport/receiver/secret"
)

// document is the entry of a route Secret that holds everything but the values of keys,
// parameters and signing keys.
const document = "route.json"

// maxDocument bounds the text that Decode parses: the API server's limit for a Secret.
const maxDocument = 1 << 20

// UnknownVersionError says that a route was written in a format that this
// build does not know.
type UnknownVersionError struct{ Version int }

// Error implements error.
func (e *UnknownVersionError) Error() string {
	return fmt.Sprintf("the route has format version %d and this receiver knows only version %d: upgrade the receivers before the manager", e.Version, Version)
}

// KeyName returns the name of the entry that holds the i-th key of a route.
func KeyName(i int) string { return fmt.Sprintf("key-%d", i) }

// ParameterEntry returns the name of the entry that holds the i-th value of a
// parameter of a route.
func ParameterEntry(i int) string { return fmt.Sprintf("param-%d", i) }

// SigningEntry returns the name of the entry that holds the signing key of a target:
// Route.Target for 0, else the target of the i-th route, counted from 1.
func SigningEntry(i int) string { return fmt.Sprintf("signing-%d", i) }

// Encode returns the data of the Secret that holds r: "route.json", which holds
// no secret material, and one entry per key, value of a parameter and signing key,
// named by Key.Name, Parameter.Entry and Signing.Entry. Equal routes give equal bytes. A route that
// Validate refuses is not encoded.
func Encode(r Route) (map[string][]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("writing the route of %s as JSON: %w", r.Endpoint, err)
	}
	data := make(map[string][]byte, 1+len(r.Keys)+len(r.Parameters))
	data[document] = text
	for _, key := range r.Keys {
		data[key.Name] = bytes.Clone(key.Value.Reveal())
	}
	for _, parameter := range r.Parameters {
		data[parameter.Entry] = bytes.Clone(parameter.Value.Reveal())
	}
	for _, signing := range r.signings() {
		data[signing.Entry] = bytes.Clone(signing.Key.Reveal())
	}
	return data, nil
}

// Decode reads what Encode wrote and validates it. It is strict: an unknown field of a
// known version is an error, because it may be a restriction that this build would not
// enforce. An unknown version is an *UnknownVersionError. Errors hold no secret material.
func Decode(data map[string][]byte) (Route, error) {
	text, ok := data[document]
	if !ok {
		return Route{}, fmt.Errorf("the Secret has no entry %q: it was not written by the manager", document)
	}
	if len(text) > maxDocument {
		return Route{}, fmt.Errorf("%s has %d bytes, at most %d are read", document, len(text), maxDocument)
	}
	if err := checkVersion(text); err != nil {
		return Route{}, err
	}
	var r Route
	if err := decodeStrict(text, &r); err != nil {
		return Route{}, fmt.Errorf("%s: %w", document, err)
	}
	if err := r.takeValues(data); err != nil {
		return Route{}, err
	}
	if err := r.Validate(); err != nil {
		return Route{}, err
	}
	return r, nil
}

// checkVersion comes before the strict decoding, so that the error of a newer format
// names its version and not its first unknown field.
func checkVersion(text []byte) error {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("%s is not a route: %w", document, err)
	}
	if head.Version != Version {
		return &UnknownVersionError{Version: head.Version}
	}
	return nil
}

// decodeStrict ignores what follows the value: checkVersion has read all of the text.
func decodeStrict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// takeValues fills in the values of keys, parameters and signings. An entry that no field
// names is an error: a newer manager may have put it there for a reason.
func (r *Route) takeValues(data map[string][]byte) error {
	left := maps.Clone(data)
	delete(left, document)
	take := func(entry, purpose string) (secret.Value, error) {
		value, ok := data[entry]
		if !ok {
			return secret.Value{}, fmt.Errorf("the Secret has no entry %q that %s names as a %s", entry, document, purpose)
		}
		delete(left, entry)
		return secret.New(value), nil
	}
	var err error
	for i := range r.Keys {
		if r.Keys[i].Value, err = take(r.Keys[i].Name, "key"); err != nil {
			return err
		}
	}
	for i := range r.Parameters {
		if r.Parameters[i].Value, err = take(r.Parameters[i].Entry, "parameter"); err != nil {
			return err
		}
	}
	for field, signing := range r.signings() {
		if signing.Key, err = take(signing.Entry, field); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		names := slices.Sorted(maps.Keys(left))
		return fmt.Errorf("the Secret has entries that %s does not mention: %s", document, strings.Join(names, ", "))
	}
	return nil
}
