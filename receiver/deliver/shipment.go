package deliver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// errUnsigned says that an event can't be signed anew, while others can. It costs
// attempts, as if the target had refused the event, so that it doesn't hold up the
// others for ever.
var errUnsigned = errors.New("the event can't be signed anew")

// shipment is what an attempt hands over, and to whom.
type shipment struct {
	route  *route.Route // with the target that is meant
	signer Signer       // nil: the target gets the signature that the sender sent
	event  *store.Event
	number int // of the attempt, from 1
}

// request is what the target gets: what the sender sent, less what is not meant for
// the target, and what is ours.
func (s *shipment) request(ctx context.Context, now time.Time) (*http.Request, error) {
	sent := s.sent()
	if s.signer != nil {
		if err := s.signer.Resign(sent, s.event.Scheme, now); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnsigned, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, sent.Method, serviceURL(s.route.Target), bytes.NewReader(sent.Body))
	if err != nil {
		return nil, err
	}
	request.URL.RawQuery = joinQueries(request.URL.RawQuery, sent.RawQuery)
	request.URL.ForceQuery = strings.HasSuffix(sent.URL, "?")
	request.Header = sent.Header
	withOwn(request.Header, s.event, s.number)
	withURL(request.Header, sent.URL)
	if signing := s.route.Target.Signing; signing != nil {
		sign(request.Header, signing.Key, verify.HeaderID(s.event.ID), sent.Body, now)
	}
	return request, nil
}

// sent is what the sender sent, as far as the target may see it.
func (s *shipment) sent() *verify.Request {
	header, query := endToEnd(s.event.Header), s.event.Query
	if kept := s.event.Credentials; kept != nil && s.route.Target.ForwardCredentials {
		maps.Copy(header, endToEnd(kept.Header))
		query = cmp.Or(kept.Query, query)
	}
	sent := &verify.Request{Method: s.event.Method, URL: s.event.URL, Header: header, RawQuery: query, Body: s.event.Body}
	if sent.URL != "" && query != "" {
		sent.URL += "?" + query
	}
	return sent
}

// joinQueries adds the sender's query to one that the target's path has.
func joinQueries(own, sent string) string {
	if own == "" || sent == "" {
		return own + sent
	}
	return own + "&" + sent
}
