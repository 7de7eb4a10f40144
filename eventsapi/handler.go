package eventsapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/endpoints/request"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// The bounds of requests.
const (
	// requestTimeout is how long one may work, if it does not say less.
	requestTimeout = 30 * time.Second
	// writeTimeout is how long a client may take for an answer, or for a frame of a watch.
	writeTimeout = 60 * time.Second
	// bodyTimeout and maxBody bound the options of a DELETE, which is all that anybody
	// sends.
	bodyTimeout = 10 * time.Second
	maxBody     = 64 << 10
	// maxRequests and maxWatches are how many are served at a time.
	maxRequests = 32
	maxWatches  = 256
)

// handler serves the API.
type handler struct {
	api       api
	authn     authenticator.Request
	authz     authorizer
	closing   <-chan struct{} // watches end when it is closed
	requests  chan struct{}
	watches   chan struct{}
	operation map[operationKey]operation
}

// operation answers a request that is authorized.
type operation func(ctx context.Context, q *query) (runtime.Object, error)

type operationKey struct{ resource, subresource, verb string }

func newHandler(o Options, authn authenticator.Request, authz authorizer, closing <-chan struct{}) *handler {
	h := &handler{
		api: api{o}, authn: authn, authz: authz, closing: closing,
		requests: make(chan struct{}, maxRequests), watches: make(chan struct{}, maxWatches),
	}
	const events, records, queues = eventsv1alpha1.ResourceWebhookEvents, eventsv1alpha1.ResourceWebhookRecords, eventsv1alpha1.ResourceWebhookQueues
	h.operation = map[operationKey]operation{
		{events, "", "get"}:                                h.api.getEvent,
		{events, "", "list"}:                               h.api.listEvents,
		{events, "", "delete"}:                             h.api.deleteEvent,
		{events, "", "deletecollection"}:                   h.api.deleteEvents,
		{events, eventsv1alpha1.SubresourcePayload, "get"}: h.api.getPayload,
		{records, "", "list"}:                              h.api.listRecords,
		{records, "", "watch"}:                             nil, // it has no one answer, see watch
		{queues, "", "get"}:                                h.api.getQueue,
		{queues, "", "list"}:                               h.api.listQueues,
	}
	return h
}

// requestInfos take a request apart as the API server does.
var requestInfos = request.RequestInfoFactory{APIPrefixes: sets.NewString("apis")}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	answer := &answer{ResponseWriter: w, control: http.NewResponseController(w)}
	defer h.recoverPanic(answer, r)
	info, err := requestInfos.NewRequestInfo(r)
	if err != nil {
		err = apierrors.NewBadRequest("the path is none of this API")
	} else {
		err = h.serve(answer, r, info)
	}
	if err != nil {
		h.answerError(answer, r, err)
	}
	observe(info, answer.status, time.Since(began))
}

// serve takes the steps of a request in their order.
func (h *handler) serve(w *answer, r *http.Request, info *request.RequestInfo) error {
	said, ok, err := h.authn.AuthenticateRequest(r)
	if err != nil || !ok {
		return apierrors.NewUnauthorized("only the API server's front proxy is listened to")
	}
	if !info.IsResourceRequest {
		return h.serveDiscovery(w, r, info)
	}
	if err := h.authz.authorize(r.Context(), said.User, info); err != nil {
		return err
	}
	operate, err := h.find(info)
	if err != nil {
		return err
	}
	q := &query{info: info, user: said.User, values: r.URL.Query()}
	if q.values.Get("labelSelector") != "" || len(q.values["fieldSelector"]) > 1 {
		return apierrors.NewBadRequest("there are no labels to select by, and one field selector is understood")
	}
	if operate == nil {
		return h.serveWatch(w, r, q)
	}
	return h.serveOne(w, r, q, operate)
}

// find returns what to do; nil: watch.
func (h *handler) find(info *request.RequestInfo) (operation, error) {
	gv := eventsv1alpha1.SchemeGroupVersion
	resource := schema.GroupResource{Group: info.APIGroup, Resource: info.Resource}
	if info.APIGroup != gv.Group || info.APIVersion != gv.Version || len(info.Parts) > 3 || !hasTable(info.Resource, "") ||
		info.Subresource != "" && (info.Resource != eventsv1alpha1.ResourceWebhookEvents || info.Subresource != eventsv1alpha1.SubresourcePayload) {
		return nil, apierrors.NewGenericServerResponse(404, info.Verb, resource, info.Name, "there is no such resource", 0, false)
	}
	operate, known := h.operation[operationKey{info.Resource, info.Subresource, info.Verb}]
	if !known || info.Namespace == "" && info.Name != "" && len(info.Parts) > 1 {
		return nil, apierrors.NewMethodNotSupported(resource, info.Verb)
	}
	return operate, nil
}

func (h *handler) serveDiscovery(w *answer, r *http.Request, info *request.RequestInfo) error {
	f, err := negotiate(r.Header.Get("Accept"), false, false)
	if err != nil {
		return err
	}
	object, err := discover(info.Verb, info.Path)
	if err != nil {
		return err
	}
	return w.write(f, http.StatusOK, object)
}

// serveOne serves a request that has one answer.
func (h *handler) serveOne(w *answer, r *http.Request, q *query, operate operation) error {
	leave, err := enter(h.requests)
	if err != nil {
		return err
	}
	defer leave()
	f, err := negotiate(r.Header.Get("Accept"), hasTable(q.info.Resource, q.info.Subresource), false)
	if err != nil {
		return err
	}
	include, err := includeOf(q.values.Get("includeObject"))
	if err != nil {
		return err
	}
	if r.Method == http.MethodDelete {
		if q.body, err = readBody(w, r); err != nil {
			return err
		}
	}
	timeout, err := q.timeout(requestTimeout, requestTimeout)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	object, err := operate(ctx, q)
	if err != nil {
		return err
	}
	if f.table {
		object = tableOf(object, time.Now(), include)
	}
	return w.write(f, http.StatusOK, object)
}

// serveWatch sends frames until the client leaves, the watch has lasted long enough,
// or the manager ends.
func (h *handler) serveWatch(w *answer, r *http.Request, q *query) error {
	leave, err := enter(h.watches)
	if err != nil {
		return err
	}
	defer leave()
	f, err := negotiate(r.Header.Get("Accept"), true, true)
	if err != nil {
		return err
	}
	include, err := includeOf(q.values.Get("includeObject"))
	if err != nil {
		return err
	}
	timeout, err := q.timeout(usualWatch, maxWatch)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-h.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	begin := func() error { return w.begin(f) }
	return h.api.watchRecords(ctx, q, timeout, begin, func(kind watch.EventType, object runtime.Object) error {
		if f.table && kind != watch.Error {
			object = tableOf(object, time.Now(), include)
		}
		return w.frame(f, &metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Object: object}})
	})
}

// enter takes one of few places.
func enter(places chan struct{}) (leave func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	default:
		return nil, apierrors.NewTooManyRequests("too many requests are being served: try again in a second", 1)
	}
}

// readBody reads the options of a DELETE.
func readBody(w *answer, r *http.Request) ([]byte, error) {
	_ = w.control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not every connection has one
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, apierrors.NewRequestEntityTooLargeError("the options of a DELETE are small")
	case err != nil:
		return nil, apierrors.NewBadRequest("the body can't be read")
	}
	_ = w.control.SetReadDeadline(time.Time{})
	return body, nil
}

// errInternal is told in place of an error that users can do nothing about.
var errInternal = errors.New("what is stored can't be read: see the log of the manager")

// answerError is the one place that answers with an error, unless the answer has begun.
func (h *handler) answerError(w *answer, r *http.Request, err error) {
	if w.status != 0 {
		h.api.Logger.V(1).Info("Could not write an answer of the events API", "path", r.URL.Path, "error", err.Error())
		return
	}
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		h.api.Logger.Error(err, "Could not answer a request of the events API", "path", r.URL.Path)
	}
	status := statusOfError(err)
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	f, negotiateErr := negotiate(r.Header.Get("Accept"), false, false)
	if negotiateErr != nil {
		f = format{}
	}
	if err := w.write(f, int(status.Code), status); err != nil {
		h.api.Logger.V(1).Info("Could not write an answer of the events API", "path", r.URL.Path, "error", err.Error())
	}
}

// recoverPanic logs a panic, which then ends this request only.
func (h *handler) recoverPanic(w *answer, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	h.api.Logger.Error(fmt.Errorf("panic: %v", p), "A request of the events API panicked", "path", r.URL.Path, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // the answer has begun, and must not look complete
	}
	h.answerError(w, r, apierrors.NewInternalError(errors.New("see the log of the manager")))
}

// answer writes to a client who has only so long to read.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int // 0: nothing is written yet
}

// write sends one object.
func (w *answer) write(f format, status int, object any) error {
	w.start(f, status)
	return f.encode(w, object)
}

// begin sends the head of a watch, for the client to know that it has begun.
func (w *answer) begin(f format) error {
	w.start(f, http.StatusOK)
	return w.control.Flush()
}

// frame sends one object of many.
func (w *answer) frame(f format, object any) error {
	w.allowTime()
	if err := f.encode(w, object); err != nil {
		return err
	}
	return w.control.Flush()
}

func (w *answer) start(f format, status int) {
	w.allowTime()
	w.status = status
	w.Header().Set("Content-Type", f.contentType())
	w.Header().Set("Cache-Control", "no-cache, private")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}

func (w *answer) allowTime() {
	_ = w.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every connection has one
}
