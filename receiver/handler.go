package receiver

import (
	"cmp"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/certificate"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

// HandlerOptions are the parts that a Handler works with; all are needed but
// Proxies, Senders and Roots.
type HandlerOptions struct {
	Routes     *route.Live
	Accepter   Accepter
	Dispatcher Offerer
	// Marks and Caller are for endpoints whose senders get the target's answer.
	Marks  Marker
	Caller Caller
	// Lease is for how long an accepted event is ours to deliver.
	Lease time.Duration
	// MaxQueuedBytes is as in store.AcceptOptions.
	MaxQueuedBytes int64
	Audit          audit.Sink
	Metrics        *Metrics
	Proxies        TrustedProxies
	// Senders requests certificates and confirmations from senders; nil:
	// egress.New.
	Senders *egress.Client
	// Roots are the authorities of certificates by which senders sign; nil: those of
	// the system.
	Roots *x509.CertPool
	Log   *slog.Logger
	Now   func() time.Time
}

// Handler answers webhooks. It is safe for concurrent use.
type Handler struct {
	routes     *route.Live
	accepter   Accepter
	dispatcher Offerer
	marks      Marker
	caller     Caller
	lease      time.Duration
	audit      audit.Sink
	metrics    *Metrics
	proxies    TrustedProxies
	senders    *egress.Client // for confirmations
	roots      *x509.CertPool
	log        *slog.Logger
	now        func() time.Time

	certificates   *certificate.Cache
	maxQueuedBytes int64
	bodyTimeout    time.Duration
	bytesInFlight  atomic.Int64
}

// NewHandler returns a Handler.
func NewHandler(o HandlerOptions) *Handler {
	if o.Senders == nil {
		o.Senders = egress.New()
	}
	return &Handler{
		routes: o.Routes, accepter: o.Accepter, dispatcher: o.Dispatcher, marks: o.Marks, caller: o.Caller, lease: o.Lease, maxQueuedBytes: o.MaxQueuedBytes,
		audit: o.Audit, metrics: o.Metrics, proxies: o.Proxies, senders: o.Senders.Apart(), roots: o.Roots, log: o.Log, now: o.Now,
		certificates: certificate.NewCache(o.Senders, o.Now, o.Roots), bodyTimeout: bodyTimeout,
	}
}

// exchange is one request on its way through the steps. Each step fills in what
// it finds out; what a failed step did not reach stays zero.
type exchange struct {
	w http.ResponseWriter
	r *http.Request

	meta        event.Meta // each step adds what it finds out; ReceivedAt is when the headers were there
	traceParent string
	complete    time.Time // when the body was there
	source      netip.Addr

	entry    *route.Entry // nil: no route
	memory   reservation
	body     []byte
	crowded  bool             // there was no memory to decode it
	signed   verify.Request   // what the verification looks at
	material *verify.Material // what it verifies with
	verdict  verify.Verdict
	verified bool
	greeting *verify.Answer // to a handshake; nil: it is none
	event    verify.Identification
	stored   http.Header // see storedHeader
	targets  []string    // of the deliveries; none: nothing wants the event
	note     string      // for the audit: why a target gets the event that might not be meant

	called  *deliver.Answer // by the target, while the sender waits; nil: it was not asked
	status  int             // of the HTTP answer
	outcome audit.Status
	reason  string // of a duplicate
	err     *reject
}

// step is one of the things that a request goes through. Its error is a reject.
type step func(*Handler, *exchange) error

// steps are in the order in which doc.go explains them.
var steps = []step{
	(*Handler).find,
	(*Handler).admit,
	(*Handler).read,
	(*Handler).greetUnsigned,
	(*Handler).certify,
	(*Handler).verify,
	(*Handler).greetSigned,
	(*Handler).identify,
	(*Handler).choose,
	(*Handler).take,
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r)
	defer h.end(x)
	x.answer(h.handle(x))
}

// handle goes through the steps until one fails, or the request turns out to be
// a handshake. A panic is one request's failure: it becomes an error, which is
// answered 500.
func (h *Handler) handle(x *exchange) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("a request panicked", "panic", fmt.Sprint(p), "requestId", x.meta.RequestID, "stack", string(debug.Stack()))
			h.metrics.panics.Inc()
			err = errors.New("panic")
		}
	}()
	for _, step := range steps {
		if err := step(h, x); err != nil || x.greeting != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *exchange {
	source := h.proxies.clientOf(r.RemoteAddr, r.Header)
	return &exchange{
		w: w, r: r,
		meta:        event.Meta{RequestID: requestID(r.Header), SourceIP: addrText(source), ReceivedAt: h.now()},
		traceParent: traceParent(r.Header),
		source:      source,
	}
}

// end is reached whatever happened.
func (h *Handler) end(x *exchange) {
	x.memory.release()
	ended := h.now()
	h.metrics.observe(x, ended)
	h.audit.Record(x.record(ended))
}

// record tells the audit what became of x.
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

// hash notes the digest of the body, once. What a stranger sends is not hashed for the
// record alone.
func (x *exchange) hash() {
	if x.meta.BodySHA256 == "" && x.body != nil && (x.verified || x.signed.HasBodySHA256()) {
		digest := x.signed.BodySHA256()
		x.meta.BodySHA256 = hex.EncodeToString(digest[:])
	}
}
