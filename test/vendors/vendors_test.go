//go:build vendors

package vendors

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// aged is how old a signature is when it arrives at an endpoint that signs anew. It is
// less than any vendor, or preset, has for a tolerance.
const aged = 3 * time.Second

// fresh is the name of the endpoint of a vendor whose target gets fresh signatures.
func fresh(v vendor) string { return v.Slug + "-fresh" }

func TestVendors(t *testing.T) {
	n, w := startNode(t), newWorld(t)
	all := n.vendors(publicURL + pathOf(""))
	for _, v := range all {
		w.endpoint(v, v.Slug, v1alpha1.TargetSignatureAsSent)
		if v.Tolerance > 0 {
			w.endpoint(v, fresh(v), v1alpha1.TargetSignatureFresh)
		}
	}
	var results []result
	for _, v := range all {
		t.Run(v.Slug, func(t *testing.T) {
			r := &trial{t: t, w: w.in(t), n: n.in(t), v: v, result: result{vendor: v}}
			r.genuine()
			r.late()
			r.sentByKubectl()
			results = append(results, r.result)
		})
	}
	if len(results) == len(all) { // -run may have chosen some
		checkTable(t, results)
	}
}

// trial is what is tried with a vendor.
type trial struct {
	t      *testing.T
	w      *world
	n      *node
	v      vendor
	result result
}

// note notes whether something is as it should be.
func (r *trial) note(cell *verdict, complaint string) {
	r.t.Helper()
	*cell = yes
	if complaint != "" {
		*cell = no
		r.t.Error(complaint)
	}
}

// genuine sends what the vendor's library signed, forged and as it is, and that again.
func (r *trial) genuine() {
	r.w.awaitReady(r.v.Slug)
	now := time.Now()
	event, forged := r.n.sign(r.v, publicURL+pathOf(r.v.Slug), now)
	r.note(&r.result.forged, r.refused(r.w.post(r.v.Slug, forged)))

	eventID, complaint := r.acknowledged(r.w.post(r.v.Slug, event), audit.Accepted)
	r.note(&r.result.accepted, complaint)
	if complaint != "" {
		return
	}
	got := r.w.arrival(r.v.Slug, eventID)
	r.note(&r.result.verifies, r.intact(event, got, now))
	if complaint := r.n.verify(r.v, r.mixed(got, forged), now); complaint == "" {
		r.t.Error("the vendor's library verifies whatever it is given: the forged event passes, too")
	}

	_, complaint = r.acknowledged(r.w.post(r.v.Slug, event), audit.Duplicate)
	if count := r.w.arrivals(r.v.Slug); complaint == "" && count != 1 {
		complaint = fmt.Sprintf("the event was delivered %d times", count)
	}
	r.note(&r.result.duplicate, complaint)
}

// refused complains of an answer that is a 2xx.
func (r *trial) refused(answer cluster.Answer) string {
	if answer.Status >= 200 && answer.Status < 300 {
		return fmt.Sprintf("the forged event is answered by %d", answer.Status)
	}
	return ""
}

// acknowledged complains of an answer that is no 2xx, or of another outcome.
func (r *trial) acknowledged(answer cluster.Answer, want audit.Status) (eventID, complaint string) {
	if answer.Status < 200 || answer.Status > 299 {
		return "", fmt.Sprintf("the vendor's event is answered by %d %s", answer.Status, answer.Body)
	}
	got := r.w.outcome(answer.Header.Get("X-Request-Id"))
	if got.Status != want {
		return "", fmt.Sprintf("the vendor's event is answered by %d, but it is %s", answer.Status, got.Status)
	}
	return got.EventID, ""
}

// intact complains of what is not as the vendor sent it, or not so for its library.
func (r *trial) intact(event sent, got cluster.Received, at time.Time) string {
	if !bytes.Equal(event.Body, got.Body) || event.Query != got.Query {
		return fmt.Sprintf("the query and the body at the target are %q %q: the vendor sent %q %q", got.Query, got.Body, event.Query, event.Body)
	}
	for name, value := range event.Headers {
		if got.Header.Get(name) != value {
			return fmt.Sprintf("the header %s at the target is %q: the vendor sent %q", name, got.Header.Get(name), value)
		}
	}
	if complaint := r.n.verify(r.v, receivedOf(got), at); complaint != "" {
		return "the vendor's library does not verify what is at the target: " + complaint
	}
	return ""
}

// mixed is a message as it would have arrived if the receiver had let it pass.
func (r *trial) mixed(got cluster.Received, s sent) received {
	m := receivedOf(got)
	for name, value := range s.Headers {
		m.Headers[http.CanonicalHeaderKey(name)] = value
	}
	m.Body = s.Body
	return m
}

// late sends an event to a target that gets fresh signatures, and asks the library of a
// handler whose clock is so late that it refuses the vendor's own.
func (r *trial) late() {
	if r.v.Tolerance == 0 {
		return
	}
	r.w.awaitReady(fresh(r.v))
	event, _ := r.n.sign(r.v, publicURL+pathOf(fresh(r.v)), time.Now().Add(-aged))
	eventID, complaint := r.acknowledged(r.w.post(fresh(r.v), event), audit.Accepted)
	if complaint != "" {
		r.note(&r.result.late, complaint)
		return
	}
	got := r.w.arrival(fresh(r.v), eventID)
	clock := got.At.Add(time.Duration(r.v.Tolerance)*time.Second - aged/2)
	if r.n.verify(r.v, r.mixed(got, event), clock) == "" {
		r.t.Errorf("the vendor's library does not mind a signature that is older than %d s", r.v.Tolerance)
	}
	if complaint = r.n.verify(r.v, receivedOf(got), clock); complaint != "" {
		complaint = "the vendor's library does not verify what was signed anew: " + complaint
	}
	r.note(&r.result.late, complaint)
}

// sentByKubectl has kubectl hooks send make an event.
func (r *trial) sentByKubectl() {
	outcome, ok := r.w.kubectlHooksSend(r.v)
	if !ok {
		r.result.kubectl = no
		return
	}
	if outcome.Status != audit.Accepted {
		r.note(&r.result.kubectl, fmt.Sprintf("what kubectl hooks send sent is %s", outcome.Status))
		return
	}
	complaint := r.n.verify(r.v, receivedOf(r.w.arrival(r.v.Slug, outcome.EventID)), time.Now())
	if complaint != "" {
		complaint = "the vendor's library does not verify what kubectl hooks send made: " + complaint
	}
	r.note(&r.result.kubectl, complaint)
}
