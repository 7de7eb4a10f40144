package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Errors of the store; match them with errors.Is. After any of them nothing
// was promised: the sender must get no 2xx, and may send again.
var (
	// ErrUnavailable: Redis did not answer in time, or answered with an error
	// that is not about the request. What was asked for may or may not have
	// happened; asking again is safe.
	ErrUnavailable = errors.New("redis is unavailable")
	// ErrFull: Redis has reached its maxmemory and nothing was stored.
	ErrFull = errors.New("redis is full: raise maxmemory or deliver and purge what it holds")
	// ErrQueueFull: the endpoint has as much stored as AcceptOptions.MaxQueuedBytes
	// allows, and nothing was stored.
	ErrQueueFull = errors.New("the endpoint has too much stored: deliver or purge some of it, or raise the bound")
	// ErrFenced: the delivery belongs to somebody else now, or is done; nothing
	// was written. Let go of it.
	ErrFenced = errors.New("the lease on the delivery was lost")
	// ErrBusy: the same content is being stored under another event id right
	// now, and it is not known yet how that ends. Send again in some seconds.
	ErrBusy = errors.New("the same content is being stored under another event id; send again")
	// ErrInFlight: a copy of the event, or of its signed content, is with the target
	// while its sender waits, and it is not known yet how that ends.
	ErrInFlight = errors.New("a copy of the event is with the target right now; send again")
	// ErrUnconfirmed: the event is stored, but not on as many servers as
	// Options.Wait asks for. It is delivered; a copy of it is a Duplicate as soon
	// as enough servers have it, and meets this error until then.
	ErrUnconfirmed = errors.New("the event is stored, but too few servers have it for a promise")
	// ErrNotFound: nothing of that name is stored, or its payload is gone.
	ErrNotFound = errors.New("no such event is stored")
	// ErrName: the name is not that of any event, see EventName.
	ErrName = errors.New("an event's name is 48 hexadecimal digits in lower case")
	// ErrContinue: the position in a list is not one that a page ended with.
	ErrContinue = errors.New("the position in the list can't be read: begin at its start")
	// ErrMemoryUnknown: the server does not tell how full it is, so that nothing can be
	// derived from that.
	ErrMemoryUnknown = errors.New("redis does not tell how full it is (INFO is refused)")
	// ErrNoRoom: Redis is so full that its room is kept for events.
	ErrNoRoom = errors.New("redis has no room for audit records: its memory is kept for events")
	// ErrUnsupported: the server can't do what Options.Wait asks for.
	ErrUnsupported = errors.New("redis can't confirm events as asked for")
)

// wrappedOOM reports whether a script ran out of memory on a Redis before 7, which
// writes that behind words of its own ("ERR Error running script ... -OOM command not
// allowed ...").
func wrappedOOM(err error) bool {
	answer, ok := errors.AsType[redis.Error](err)
	return ok && strings.Contains(answer.Error(), "-OOM command not allowed")
}

// classify turns what the client returned into one of the errors above.
func classify(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case redis.IsOOMError(err), wrappedOOM(err):
		return fmt.Errorf("%s: %w", doing, ErrFull)
	case errors.Is(err, ErrUnconfirmed), errors.Is(err, ErrUnsupported), errors.Is(err, ErrNoRoom):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, ErrPartly):
		return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, context.Canceled)
	default:
		return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, explainTLS(err))
	}
}
