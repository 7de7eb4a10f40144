package route

import (
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/verify"
)

// Signer signs requests of an endpoint anew; *Entry is one.
type Signer interface {
	// CanResign says why nothing can be signed now, whatever the event; nil: it can.
	CanResign(now time.Time) error
	// Resign is as of verify.Verifier.
	Resign(r *verify.Request, scheme string, now time.Time) error
}

// Why an endpoint can sign nothing.
var (
	errNoRoute  = errors.New("no route is served for the endpoint")
	errNoSigner = errors.New("the endpoint has no secret now to sign with")
)

// CanResign implements Signer. That there is no entry is a reason, too.
func (e *Entry) CanResign(now time.Time) error {
	switch {
	case e == nil:
		return errNoRoute
	case e.Unavailable() != "":
		return errors.New(e.Unavailable())
	case len(e.Material(now).Secrets) == 0:
		return errNoSigner
	}
	return nil
}

// Resign implements Signer. scheme is the name of the one that verified the request.
func (e *Entry) Resign(r *verify.Request, scheme string, now time.Time) error {
	if err := e.CanResign(now); err != nil {
		return err
	}
	return e.Verifier.Resign(r, scheme, e.Material(now), now)
}
