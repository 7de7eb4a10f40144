package verify

import "fmt"

// Reason is why a request was not accepted as authentic, or not as an event. Reasons
// are stable: they are metric labels.
type Reason string

// The reasons.
const (
	MissingSignature          Reason = "MissingSignature"          // no signature, or an empty one
	MalformedSignature        Reason = "MalformedSignature"        // not written as the scheme says
	DuplicateHeader           Reason = "DuplicateHeader"           // a header or parameter that counts occurs twice
	WrongSignature            Reason = "WrongSignature"            // no candidate matches any key
	MissingTimestamp          Reason = "MissingTimestamp"          // the scheme needs one
	MalformedTimestamp        Reason = "MalformedTimestamp"        // not of the scheme's unit
	TimestampOutsideTolerance Reason = "TimestampOutsideTolerance" // signed too long ago, or in the future
	PreconditionFailed        Reason = "PreconditionFailed"        // a header or parameter that the scheme needs is missing or has another value
	MissingID                 Reason = "MissingID"                 // no event id, or none that can be used
	MalformedBody             Reason = "MalformedBody"             // not the form or JSON that the provider sends
	NoUsableKey               Reason = "NoUsableKey"               // our side: no key fits the scheme
	ClaimMismatch             Reason = "ClaimMismatch"             // the token is genuine, and meant for somebody else
	HandshakeRefused          Reason = "HandshakeRefused"          // a handshake of somebody else, or for something that isn't allowed
	MalformedHandshake        Reason = "MalformedHandshake"        // a handshake that lacks what it must have, or isn't written so
	UntrustedCertificate      Reason = "UntrustedCertificate"      // of a host that isn't the sender's, or not valid
	NoCertificate             Reason = "NoCertificate"             // our side: the certificate that the request names could not be fetched
	NoPublicURL               Reason = "NoPublicURL"               // our side: the URL is signed and we don't know it
)

// Rejection is the error of Verify and Identify.
type Rejection struct { //nolint:errname // a rejection is a verdict; Go merely wants it as an error
	// Reason is the class.
	Reason Reason
	// Authentic: the signature was right, but the request is not an event.
	Authentic bool
	// Detail is a sentence for the sender. It never contains a secret, a
	// signature or any of the body.
	Detail string
}

// Error implements error.
func (r *Rejection) Error() string { return string(r.Reason) + ": " + r.Detail }

// reject makes a Rejection. Arguments must come from the provider's data,
// never from the request.
func reject(reason Reason, format string, args ...any) *Rejection {
	return &Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
