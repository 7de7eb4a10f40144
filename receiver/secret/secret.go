// Package secret holds values that must not be printed.
//
// It assumes nothing about where a value comes from. It promises that a Value
// formatted by fmt, log, slog, encoding/json or encoding/text shows only that
// something is there, and that Equal takes the same time whatever the bytes are.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Value is secret material: a signing key, a token, a password. The zero Value
// is empty. A Value is immutable and safe for concurrent use.
type Value struct{ bytes []byte }

// New makes a Value of a copy of b.
func New(b []byte) Value { return Value{bytes: append([]byte(nil), b...)} }

// Reveal returns the bytes themselves. The caller must neither change nor print
// them; each call of Reveal is a place to review.
func (v Value) Reveal() []byte { return v.bytes }

// Empty reports whether there is nothing in v.
func (v Value) Empty() bool { return len(v.bytes) == 0 }

// Equal compares v with b in constant time: its duration doesn't depend on where they
// differ, but on whether their lengths do.
func (v Value) Equal(b []byte) bool { return subtle.ConstantTimeCompare(v.bytes, b) == 1 }

// Format implements fmt.Formatter for every verb, so that no flag and no verb
// reaches the bytes by reflection.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String implements fmt.Stringer.
func (v Value) String() string { return redacted }

// LogValue implements slog.LogValuer.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which encoding/json uses too.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
