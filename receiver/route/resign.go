package route

import (
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/verify"
)

// What keeps an endpoint from signing anything.
var (
	errNoRoute  = errors.New("no route is served for the endpoint")
	errNoSigner = errors.New("the endpoint has no secret now to sign with")
)

// CanResign says why nothing of the endpoint can be signed anew at now, whatever
// the event; nil: it can. That there is no entry is a reason, too.
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

// Resign signs a request anew that was verified by a scheme of that name, see
// verify.Verifier.Resign.
func (e *Entry) Resign(r *verify.Request, scheme string, now time.Time) error {
	if err := e.CanResign(now); err != nil {
		return err
	}
	return e.Verifier.Resign(r, scheme, e.Material(now), now)
}
