package deliver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// paddleTolerance is how old a signature may be for Paddle's own library.
const paddleTolerance = 5 * time.Second

// paddleSignature signs as Paddle does.
func paddleSignature(key string, body []byte, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(mac, "%d:%s", at.Unix(), body)
	return fmt.Sprintf("ts=%d;h1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// paddleHandler is an existing handler: it checks what its library checks.
type paddleHandler struct {
	now  func() time.Time
	down atomic.Bool
	key  atomic.Value // string
}

func newPaddleHandler(w *world, key string) *paddleHandler {
	h := &paddleHandler{now: w.now}
	h.key.Store(key)
	return h
}

func (h *paddleHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	text := r.Header.Get("Paddle-Signature")
	ts, _, _ := strings.Cut(strings.TrimPrefix(text, "ts="), ";")
	seconds, _ := strconv.ParseInt(ts, 10, 64)
	at := time.Unix(seconds, 0)
	key, _ := h.key.Load().(string)
	switch {
	case h.down.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case text != paddleSignature(key, body, at), h.now().Sub(at).Abs() > paddleTolerance:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// paddle routes an endpoint of Paddle's to a handler.
func (w *world) paddle(handler http.Handler, key string, fresh bool) string {
	endpoint := w.target("paddle", handler.ServeHTTP)
	w.setRoute(endpoint, func(r *route.Route) {
		r.Provider = verify.Provider{
			Name: "paddle",
			Schemes: []verify.Scheme{{
				Name: "default", Algorithm: verify.HMACSHA256, Content: "{timestamp}:{body}",
				Signature: verify.Signature{
					From:     []verify.Location{{Header: "Paddle-Signature"}},
					KeyValue: &verify.KeyValue{Separator: ";", Equals: "=", SignatureKey: "h1", TimestampKey: "ts"},
					Encoding: verify.Hex,
				},
				Timestamp: &verify.Timestamp{Unit: verify.Seconds, ToleranceSeconds: 5},
			}},
			Identity: verify.Identity{ID: []string{"{json:/event_id}"}},
		}
		r.Keys = []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte(key))}}
		r.Target.FreshSignature = fresh
	})
	return endpoint
}

// acceptPaddle stores an event as it came from Paddle.
func (w *world) acceptPaddle(d *Dispatcher, endpoint, id, key string) {
	w.t.Helper()
	body := fmt.Appendf(nil, `{"event_id":%q}`, id)
	event := &store.Event{
		Meta:   event.Meta{Endpoint: endpoint, Provider: "paddle", ID: id, RequestID: "req-" + id, ReceivedAt: w.now()},
		Scheme: "default", Method: http.MethodPost,
		Header: http.Header{"Content-Type": {"application/json"}, "Paddle-Signature": {paddleSignature(key, body, w.now())}}, Body: body,
	}
	_, leases, err := w.store.Accept(w.t.Context(), event, store.AcceptOptions{Window: time.Hour, Lease: Lease})
	if err != nil {
		w.t.Fatal(err)
	}
	d.Offer(event, leases[0])
}

// An existing handler behind a target that was down for a minute: what its sender
// signed has become too old for it, and a replay doesn't help.
func TestFreshSignaturesPassAfterAnOutage(t *testing.T) {
	for name, fresh := range map[string]bool{"AsSent": false, "Fresh": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stopClock()
			handler := newPaddleHandler(w, "pdl_ntfset_1")
			endpoint := w.paddle(handler, "pdl_ntfset_1", fresh)
			d := w.run()
			w.acceptPaddle(d, endpoint, "evt_in_time", "pdl_ntfset_1")
			w.want(audit.Delivered, 1) // at once either passes

			handler.down.Store(true)
			w.acceptPaddle(d, endpoint, "evt_in_the_outage", "pdl_ntfset_1")
			w.want(audit.RetryScheduled, 1)
			w.advance(time.Minute)
			handler.down.Store(false)
			if fresh {
				w.want(audit.Delivered, 2)
				w.wantStored(0, 0)
				return
			}
			for attempt := 2; attempt < 5; attempt++ {
				w.want(audit.RetryScheduled, attempt)
				w.advance(time.Second)
			}
			w.want(audit.DeadLettered, 5)
			w.setRoute(endpoint, func(r *route.Route) { r.Target.FreshSignature = true })
			w.advance(10 * 24 * time.Hour)
			w.revive(t)
			w.want(audit.Delivered, 1) // whatever was stored can be signed, too
		})
	}
}

// revive revives the only dead letter.
func (w *world) revive(t *testing.T) {
	t.Helper()
	letters, err := w.store.ExpiredDeadLetters(t.Context(), w.now(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("there are %d dead letters, %v", len(letters), err)
	}
	if err := w.store.Revive(t.Context(), letters[0]); err != nil {
		t.Fatal(err)
	}
}

// After a rotation the handler knows the new secret only. The clock stands, so that
// no attempt is under way while the secrets are changed.
func TestFreshSignaturesAreByTheNewestSecret(t *testing.T) {
	w := newWorld(t)
	w.stopClock()
	handler := newPaddleHandler(w, "new")
	handler.down.Store(true)
	endpoint := w.paddle(handler, "old", true)
	d := w.run()
	w.acceptPaddle(d, endpoint, "evt_1", "old")
	w.want(audit.RetryScheduled, 1)
	end := w.now().Add(24 * time.Hour)
	w.setRoute(endpoint, func(r *route.Route) {
		r.Keys = []route.Key{
			{Name: route.KeyName(0), Value: secret.New([]byte("new"))},
			{Name: route.KeyName(1), Value: secret.New([]byte("old")), NotAfter: &end},
		}
	})
	handler.down.Store(false)
	w.advance(time.Minute)
	w.want(audit.Delivered, 2)
}

// Without a secret nothing is lost, nothing is sent, and no attempt is spent.
func TestWhatCantBeSignedIsHeld(t *testing.T) {
	w := newWorld(t)
	handler := newPaddleHandler(w, "key")
	endpoint := w.paddle(handler, "key", true)
	w.setRoute(endpoint, func(r *route.Route) { r.Unavailable, r.Keys = "There is no Secret.", nil })
	d := w.run()
	w.acceptPaddle(d, endpoint, "evt_1", "key")
	w.awaitHeld(1)
	if err := w.call(d, endpoint, "evt_2"); !errors.Is(err, ErrNotNow) {
		t.Errorf("a call: %v, want ErrNotNow", err)
	}
	w.setRoute(endpoint, func(r *route.Route) {
		r.Unavailable, r.Keys = "", []route.Key{{Name: route.KeyName(0), Value: secret.New([]byte("key"))}}
	})
	w.want(audit.Delivered, 1)
}

// One event that can't be signed spends its own attempts and holds up no others.
func TestAnEventThatCantBeSignedHoldsUpNoOthers(t *testing.T) {
	w := newWorld(t)
	handler := newPaddleHandler(w, "key")
	endpoint := w.paddle(handler, "key", true)
	d := w.run()
	for i := range 2 * tripPoints {
		event, lease := w.accept(endpoint, fmt.Sprint("unsigned-", i)) // carries no signature
		d.Offer(event, lease)
	}
	dead := 0
	for dead < 2*tripPoints {
		switch r := await(t, w.records, "a record"); {
		case r.Status == audit.DeadLettered && strings.Contains(r.ErrorMessage, "can't be signed anew"):
			dead++
		case r.Status != audit.RetryScheduled:
			t.Fatalf("%s: %s", r.Status, r.ErrorMessage)
		}
	}
	if reason := d.core.targets.openBecause(targetID{endpoint, ""}); reason != "" {
		t.Fatalf("the circuit is open: %s", reason)
	}
	w.acceptPaddle(d, endpoint, "evt_1", "key")
	w.want(audit.Delivered, 1)
}

// A sender that waits gets the answer of a handler that checks.
func TestCallsAreSignedAnew(t *testing.T) {
	w := newWorld(t)
	handler := newPaddleHandler(w, "key")
	for fresh, want := range map[bool]bool{true: true, false: false} {
		endpoint := w.paddle(handler, "key", fresh)
		body := []byte(`{"event_id":"evt_1"}`)
		signature := paddleSignature("key", body, w.now().Add(-time.Minute))
		event := &store.Event{
			Meta:   event.Meta{Endpoint: endpoint, ID: "evt_1", ReceivedAt: w.now()},
			Method: http.MethodPost, Scheme: "default", Body: body,
			Header: http.Header{"Paddle-Signature": {signature}},
		}
		before := bytes.Clone(event.Body)
		_, err := w.dispatcher().Call(t.Context(), event)
		if (err == nil) != want {
			t.Errorf("fresh %t: %v", fresh, err)
		}
		if !bytes.Equal(before, event.Body) || event.Header.Get("Paddle-Signature") != signature {
			t.Error("the event itself was changed")
		}
	}
}
