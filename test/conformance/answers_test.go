package conformance

import (
	"cmp"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/route"
)

// TestAnswers: what each sender sees of us is what its preset says, whether its
// event is taken, taken before or refused.
func TestAnswers(t *testing.T) {
	all := loadSenders(t)
	specimens := loadSpecimens(t, all)
	open := newGround(t, all, specimens)
	confined := newGround(t, all, specimens, func(r *route.Route) {
		r.Limits.SourceRanges = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	small := newGround(t, all, specimens, func(r *route.Route) { r.Limits.MaxBodyBytes = 1 })
	for i := range specimens {
		s := &specimens[i]
		t.Run(s.preset, func(t *testing.T) {
			wanted := s.route(t, all[s.preset], false).Responses
			genuine := mutant{name: "genuine", wire: s.wire}
			for _, want := range []audit.Status{audit.Accepted, audit.Duplicate} {
				answer, record := open.ask(t, s, genuine)
				if record.Status != want {
					t.Errorf("the audit says %s: %s", record.Status, record.ErrorMessage)
				}
				answer.isSuccess(t, wanted.Success, want)
			}
			nothing := mutant{name: "nothing", wire: wire{method: s.wire.method, body: []byte("{}")}}
			answer, _ := open.ask(t, s, nothing)
			answer.isRefusal(t, "without a signature", cmp.Or(wanted.Malformed, http.StatusBadRequest), wanted)
			answer, _ = open.ask(t, s, mutant{name: "stranger", wire: s.wire, stranger: true})
			answer.isRefusal(t, "of a stranger", 0, wanted)
			answer, _ = open.ask(t, s, mutant{name: "trace", wire: wire{method: http.MethodTrace}})
			answer.isRefusal(t, "by TRACE", http.StatusMethodNotAllowed, wanted)
			answer, _ = confined.ask(t, s, genuine)
			answer.isRefusal(t, "from elsewhere", cmp.Or(wanted.Forbidden, http.StatusForbidden), wanted)
			if len(s.wire.body) > 1 {
				answer, _ = small.ask(t, s, genuine)
				answer.isRefusal(t, "too large", cmp.Or(wanted.TooLarge, http.StatusRequestEntityTooLarge), wanted)
			}
		})
	}
}

// isSuccess compares an answer with the one that a sender wants.
func (a *answered) isSuccess(t *testing.T, want *route.Response, outcome audit.Status) {
	t.Helper()
	if want == nil {
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" || !strings.Contains(a.body, `"status":"`+string(outcome)+`"`) {
			t.Errorf("answered %d %q (%s)", a.status, a.body, a.header.Get("Content-Type"))
		}
		return
	}
	length := strconv.Itoa(len(want.Body))
	if want.Status == http.StatusNoContent {
		length = ""
	}
	if a.status != want.Status || a.body != want.Body || a.header.Get("Content-Length") != length ||
		a.header.Get("Content-Type") != want.ContentType && want.Body != "" {
		t.Errorf("answered %d %q with %v, want %+v", a.status, a.body, a.header, want)
	}
	if _, typed := a.header["Content-Type"]; typed && want.Body == "" {
		t.Errorf("nothing is of the type %q", a.header.Get("Content-Type"))
	}
}

// isRefusal compares an answer with the refusal that a sender wants; status 0: any
// that is the sender's fault.
func (a *answered) isRefusal(t *testing.T, what string, status int, wanted route.Responses) {
	t.Helper()
	if status != 0 && a.status != status || status == 0 && a.status/100 != 4 || a.status == http.StatusGone {
		t.Errorf("%s: answered %d %q, want %d", what, a.status, a.body, status)
	}
	_, typed := a.header["Content-Type"]
	empty := a.body == "" && !typed && a.header.Get("Content-Length") == "0"
	if empty != wanted.EmptyRefusals || !empty && !strings.Contains(a.body, `"error":`) {
		t.Errorf("%s: answered %d %q with %v", what, a.status, a.body, a.header)
	}
}
