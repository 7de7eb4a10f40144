package intake

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/certificate"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// Store is the write-ahead log of accepted events; *store.Store is one.
type Store interface {
	Accept(context.Context, *store.Event, store.AcceptOptions) (store.Outcome, []store.Lease, error)

	// Begin, Finish and Forget mark events whose senders wait for the target.
	Begin(ctx context.Context, endpoint, id string, o store.BeginOptions) (store.Beginning, store.Mark, error)
	Finish(context.Context, store.Mark) error
	Forget(context.Context, store.Mark) error
}

// Deliverer hands events to their targets; *deliver.Dispatcher is one.
type Deliverer interface {
	// Offer delivers an event that is stored. It does not block: an event that it can't
	// take now is claimed later, when the lease ends.
	Offer(*store.Event, store.Lease)
	// Call delivers an event at once and returns the target's answer.
	Call(context.Context, *store.Event) (deliver.Answer, error)
}

// Options are the parts that a Handler works with; all are needed but
// Proxies, Senders and Roots.
type Options struct {
	Routes    *route.Live
	Store     Store
	Deliverer Deliverer
	// Lease is for how long an accepted event is ours to deliver.
	Lease time.Duration
	// MaxQueuedBytes is as in store.AcceptOptions.
	MaxQueuedBytes int64
	Audit          audit.Sink
	Metrics        *Metrics
	Proxies        TrustedProxies
	// Senders requests certificates and confirmations from senders; nil: a client
	// that reaches public addresses only.
	Senders *egress.Client
	// Roots are the authorities of certificates by which senders sign; nil: those of
	// the system.
	Roots  *x509.CertPool
	Logger *slog.Logger
	Now    func() time.Time
}

// Handler answers webhooks. It is safe for concurrent use.
type Handler struct {
	Options

	// confirmations has a bound of its own, so that strangers who name certificates
	// can't keep a signed handshake from being confirmed.
	confirmations *egress.Client
	certificates  *certificate.Cache
	bodyGrace     time.Duration
	bodyTimeout   time.Duration
	memory        *memory
	strangers     strangers

	patient      context.Context // ends with stopWaiting
	stopWaiting  context.CancelFunc
	countRetried func()
}

// NewHandler returns a Handler.
func NewHandler(o Options) *Handler {
	if o.Senders == nil {
		o.Senders = egress.New(egress.ForWebhooks)
	}
	memory := newMemory()
	o.Metrics.watch(memory)
	h := &Handler{
		Options: o, bodyGrace: bodyGrace, bodyTimeout: bodyTimeout, memory: memory, strangers: strangers{seed: maphash.MakeSeed()},
		confirmations: o.Senders.Apart(), certificates: certificate.NewCache(o.Senders, o.Now, o.Roots),
		countRetried: o.Metrics.acceptsRetried.Inc,
	}
	h.patient, h.stopWaiting = context.WithCancel(context.Background())
	return h
}

// StopWaiting ends the wait of all requests for Redis. What is not stored by then is
// answered 503.
func (h *Handler) StopWaiting() { h.stopWaiting() }

// exchange is one request on its way through the steps. Each step fills in what
// it finds out. The fields of steps that were not reached are zero.
type exchange struct {
	w http.ResponseWriter
	r *http.Request

	meta        event.Meta // the facts that are known so far; ReceivedAt is when the headers had arrived
	traceParent string
	complete    time.Time // when the body had arrived
	source      netip.Addr
	connection  *connection

	entry     *route.Entry // nil: no route
	memory    reservation
	readBegun bool // of the body
	gaveUp    bool // on the rest of the body
	discards  bool // what is left of the body, after the answer
	body      []byte
	crowded   bool             // there was no memory to decode or parse the body
	parsed    int64            // of memory, what parsing the body takes
	signed    verify.Request   // the request as the verification sees it
	material  *verify.Material // the keys that the verification uses
	verdict   verify.Verdict
	verified  bool
	handshake *verify.Answer // the answer to a handshake; nil: the request is no handshake
	event     verify.Identification
	stored    http.Header // see storedHeader
	targets   []string    // routes that take the event; none: nobody wants it
	note      string      // for the audit: why a target gets an event that may not be for it

	called  *deliver.Answer // the target's answer, while the sender waits; nil: the target was not asked
	status  int             // of the HTTP answer
	outcome audit.Status
	reason  string // of a duplicate
	err     *reject
}

// step is one step of handling a request. Its error is a reject.
type step func(*Handler, *exchange) error

// steps are in the order in which doc.go explains them.
var steps = []step{
	(*Handler).find,
	(*Handler).admit,
	(*Handler).read,
	(*Handler).unsignedHandshake,
	(*Handler).certify,
	(*Handler).verify,
	(*Handler).signedHandshake,
	(*Handler).identify,
	(*Handler).choose,
	(*Handler).take,
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r)
	defer x.discardBody()
	defer h.end(x)
	x.answer(h.handle(x))
}

// handle goes through the steps until one fails, or the request turns out to be
// a handshake. A panic fails one request only: it is answered 500.
func (h *Handler) handle(x *exchange) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.Logger.Error("a request panicked", "panic", fmt.Sprint(p), "requestId", x.meta.RequestID, "stack", string(debug.Stack()))
			h.Metrics.panics.Inc()
			err = errors.New("panic")
		}
	}()
	for _, step := range steps {
		if err := step(h, x); err != nil || x.handshake != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *exchange {
	source := h.Proxies.clientOf(r.RemoteAddr, r.Header)
	return &exchange{
		w: w, r: r,
		meta:        event.Meta{RequestID: requestID(r.Header), SourceIP: addrText(source), ReceivedAt: h.Now()},
		traceParent: traceParent(r.Header),
		source:      source,
		connection:  connectionOf(r),
	}
}

// end gives the memory back, counts the request and records it, whatever its outcome.
func (h *Handler) end(x *exchange) {
	x.memory.release()
	if x.outcome == audit.Rejected && !x.verified && x.entry != nil {
		h.strangers.count(x)
	}
	ended := h.Now()
	h.Metrics.observe(x, ended)
	h.Audit.Record(x.record(ended))
}

// record returns the audit record of x.
func (x *exchange) record(ended time.Time) audit.Record {
	x.hash()
	r := audit.Of(x.meta, x.outcome, ended)
	r.SignatureVerified, r.BodyRead = x.verified, x.body != nil
	r.ErrorMessage, r.StatusCode = cmp.Or(x.reason, x.note), x.status
	r.DurationMS = float64(ended.Sub(x.meta.ReceivedAt).Microseconds()) / 1000
	if x.err != nil {
		r.ErrorMessage = x.err.Error()
	}
	if x.called != nil {
		r.Relayed, r.Attempt, r.Target, r.StatusCode = true, 1, x.called.Target, cmp.Or(x.called.Status, x.status)
	}
	return r
}

// hash computes the digest of the body, once. Strangers' bodies are not hashed for the
// record alone.
func (x *exchange) hash() {
	if x.meta.BodySHA256 == "" && x.body != nil && (x.verified || x.signed.HasBodySHA256()) {
		digest := x.signed.BodySHA256()
		x.meta.BodySHA256 = hex.EncodeToString(digest[:])
	}
}
