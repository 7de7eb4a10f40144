package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
)

// allIsWell are the facts of an endpoint that is Ready.
func allIsWell() facts {
	return facts{
		result:    compile.Result{URL: "https://hooks.example.com/shop/orders", Route: &route.Route{}},
		published: true,
		rollout:   rollout{live: 2},
	}
}

// but are the facts with something amiss.
func (f facts) but(change func(*facts)) facts {
	change(&f)
	return f
}

func problem(reason, message string) compile.Problems {
	return compile.Problems{{Reason: reason, Message: message}}
}

// conditionLines are the conditions, one to a line.
func conditionLines(status v1alpha1.WebhookEndpointStatus) []string {
	var lines []string
	for _, c := range status.Conditions {
		lines = append(lines, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return lines
}

const (
	acceptedLine   = "Accepted=True Accepted: The endpoint is valid and has its path."
	resolvedLine   = "ResolvedRefs=True ResolvedRefs: Provider, secret and targets are in order."
	programmedLine = "Programmed=True Programmed: Every live receiver serves the current route."
)

func TestEndpointStatus(t *testing.T) {
	for name, c := range map[string]struct {
		facts facts
		want  []string
	}{
		"all is well": {
			facts: allIsWell(),
			want:  []string{acceptedLine, resolvedLine, programmedLine, "Ready=True Ready: The next webhook is handled as this generation says."},
		},
		"a note is told although all is well": {
			facts: allIsWell().but(func(f *facts) { f.result.Notes = []string{"The newline was dropped."} }),
			want: []string{acceptedLine, resolvedLine + " The newline was dropped.", programmedLine,
				"Ready=True Ready: The next webhook is handled as this generation says."},
		},
		"the path is another's": {
			facts: allIsWell().but(func(f *facts) {
				f.result.Accepted = problem(v1alpha1.ReasonPathConflict, "The path is taken.")
				f.result.Route, f.published = nil, false
			}),
			want: []string{
				"Accepted=False PathConflict: The path is taken.",
				"ResolvedRefs=False PathConflict: The references are looked at once the endpoint is accepted.",
				"Programmed=False NotPublished: No receiver serves this endpoint: see the condition Accepted.",
				"Ready=False PathConflict: The path is taken.", "Stalled=True PathConflict: The path is taken.",
			},
		},
		"a route can't be read, and the references are looked at all the same": {
			facts: allIsWell().but(func(f *facts) { f.result.Accepted = problem(v1alpha1.ReasonInvalidRoute, "Not CEL.") }),
			want:  []string{"Accepted=False InvalidRoute: Not CEL.", resolvedLine, programmedLine, "Ready=False InvalidRoute: Not CEL.", "Stalled=True InvalidRoute: Not CEL."},
		},
		"every reference that is wrong is told, the first one gives the reason": {
			facts: allIsWell().but(func(f *facts) {
				f.result.ResolvedRefs = append(problem(v1alpha1.ReasonSecretNotFound, "No Secret."), problem(v1alpha1.ReasonTargetNotFound, "No Service.")...)
			}),
			want: []string{acceptedLine, "ResolvedRefs=False SecretNotFound: No Secret. No Service.", programmedLine,
				"Ready=False SecretNotFound: No Secret. No Service.", "Stalled=True SecretNotFound: No Secret. No Service."},
		},
		"the name of the Service is another's": {
			facts: allIsWell().but(func(f *facts) {
				f.result.Programmed = problem(v1alpha1.ReasonServiceConflict, "Left alone.")
			}),
			want: []string{acceptedLine, resolvedLine, "Programmed=False ServiceConflict: Left alone.", "Ready=False ServiceConflict: Left alone.",
				"Stalled=True ServiceConflict: Left alone."},
		},
		"nobody receives": {
			facts: allIsWell().but(func(f *facts) { f.rollout = rollout{} }),
			want: []string{acceptedLine, resolvedLine,
				"Programmed=False NoReceivers: No receiver is alive: look at the pods of the receiver.",
				"Ready=False NoReceivers: No receiver is alive: look at the pods of the receiver."},
		},
		"somebody lags": {
			facts: allIsWell().but(func(f *facts) { f.rollout = rollout{live: 3, behind: []string{"a", "b"}} }),
			want: []string{acceptedLine, resolvedLine,
				"Programmed=False Pending: Waiting for receivers to serve the current route: a, b.",
				"Ready=False Pending: Waiting for receivers to serve the current route: a, b."},
		},
		"the API server refused the route": {
			facts: allIsWell().but(func(f *facts) {
				f.published, f.publishErr = false, errors.New("etcdserver: mvcc: database space exceeded")
			}),
			want: []string{acceptedLine, resolvedLine,
				"Programmed=False NotPublished: The route could not be published and will be tried again: the manager's log has the error of the API server.",
				"Ready=False NotPublished: The route could not be published and will be tried again: the manager's log has the error of the API server."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := endpointStatus(&v1alpha1.WebhookEndpoint{}, c.facts)
			if diff := cmp.Diff(c.want, conditionLines(got)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

// A pause was asked for: it is told, and nothing is wrong.
func TestEndpointStatusTellsAPause(t *testing.T) {
	for mode, want := range map[v1alpha1.DeliveryMode]string{
		v1alpha1.DeliveryModeAsync: "Ready=True Ready: The endpoint is paused: events are accepted and stored, and nothing is delivered.",
		v1alpha1.DeliveryModeSync:  "Ready=True Ready: The endpoint is paused: senders get 503.",
	} {
		endpoint := &v1alpha1.WebhookEndpoint{Spec: v1alpha1.WebhookEndpointSpec{Paused: true, Delivery: &v1alpha1.DeliverySpec{Mode: mode}}}
		if diff := cmp.Diff([]string{acceptedLine, resolvedLine, programmedLine, want}, conditionLines(endpointStatus(endpoint, allIsWell()))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", mode, diff)
		}
	}
}

func TestEndpointStatusSpeaksOfTheGeneration(t *testing.T) {
	endpoint := &v1alpha1.WebhookEndpoint{ObjectMeta: metav1.ObjectMeta{Generation: 7}}
	status := endpointStatus(endpoint, allIsWell())
	if status.ObservedGeneration != 7 || status.URL != "https://hooks.example.com/shop/orders" {
		t.Errorf("status is of generation %d with the URL %q", status.ObservedGeneration, status.URL)
	}
	for _, c := range status.Conditions {
		if c.ObservedGeneration != 7 {
			t.Errorf("%s is of generation %d", c.Type, c.ObservedGeneration)
		}
	}
}

// What is judged again equally must come out equal, time stamps included, or
// every reconciliation would write.
func TestEndpointStatusAgainChangesNothing(t *testing.T) {
	endpoint := &v1alpha1.WebhookEndpoint{}
	for _, f := range []facts{allIsWell(), allIsWell().but(func(f *facts) { f.rollout = rollout{} })} {
		endpoint.Status = endpointStatus(endpoint, f)
		if diff := cmp.Diff(endpoint.Status, endpointStatus(endpoint, f)); diff != "" {
			t.Errorf("the second time (-first +second):\n%s", diff)
		}
	}
}

func TestEndpointStatusLeavesForeignConditionsAlone(t *testing.T) {
	foreign := metav1.Condition{Type: "example.com/Approved", Status: metav1.ConditionTrue, Reason: "Yes"}
	endpoint := &v1alpha1.WebhookEndpoint{Status: v1alpha1.WebhookEndpointStatus{Conditions: []metav1.Condition{foreign}}}
	status := endpointStatus(endpoint, allIsWell())
	if got := meta.FindStatusCondition(status.Conditions, foreign.Type); got == nil || *got != foreign {
		t.Errorf("the foreign condition became %v", got)
	}
	if len(endpoint.Status.Conditions) != 1 {
		t.Error("judge changed the endpoint that it was given")
	}
}

func TestSecretRotation(t *testing.T) {
	started, ends := noon, noon.Add(24*time.Hour)
	at := func(minutes int) *metav1.Time {
		return new(metav1.NewTime(started.Add(time.Duration(minutes) * time.Minute)))
	}
	status := func(first, last *metav1.Time) *v1alpha1.SecretRotationStatus {
		return &v1alpha1.SecretRotationStatus{StartTime: metav1.NewTime(started), PreviousExpirationTime: metav1.NewTime(ends), CurrentFirstUsedTime: first, PreviousLastUsedTime: last}
	}
	earlier := status(at(1), at(2))
	earlier.StartTime = metav1.NewTime(started.Add(-time.Hour))
	longer := status(at(1), at(2))
	longer.PreviousExpirationTime = metav1.NewTime(ends.Add(time.Hour))
	use := func(first, last int) route.KeyUse {
		return route.KeyUse{CurrentFirst: at(first).Unix(), PreviousLast: at(last).Unix()}
	}
	for name, c := range map[string]struct {
		before *v1alpha1.SecretRotationStatus
		over   bool
		use    route.KeyUse
		want   *v1alpha1.SecretRotationStatus
	}{
		"it begins":                         {want: status(nil, nil)},
		"receivers tell":                    {before: status(nil, nil), use: use(1, 2), want: status(at(1), at(2))},
		"they forget":                       {before: status(at(1), at(2)), want: status(at(1), at(2))},
		"they know less than before":        {before: status(at(1), at(2)), use: use(3, 1), want: status(at(1), at(2))},
		"they know more":                    {before: status(at(3), at(2)), use: use(1, 4), want: status(at(1), at(4))},
		"another one begins":                {before: earlier, want: status(nil, nil)},
		"the grace changes":                 {before: longer, want: status(at(1), at(2))},
		"it is over":                        {before: status(at(1), at(2)), over: true},
		"it is over, and somebody lags":     {before: status(at(1), at(2)), over: true, use: use(1, 2)},
		"there was none, and there is none": {over: true},
	} {
		t.Run(name, func(t *testing.T) {
			rotation := &compile.Rotation{Started: started, PreviousEnds: ends}
			if c.over {
				rotation = nil
			}
			got := secretRotation(c.before, rotation, c.use)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSoonest(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		at    time.Time
		want  time.Duration
	}{
		"nothing":         {0, time.Time{}, 0},
		"a Lease":         {time.Minute, time.Time{}, time.Minute},
		"a key":           {0, noon.Add(time.Hour), time.Hour},
		"a Lease first":   {time.Minute, noon.Add(time.Hour), time.Minute},
		"a key first":     {time.Hour, noon.Add(time.Minute), time.Minute},
		"a key, just now": {0, noon, time.Millisecond},
	} {
		if got := soonest(c.after, c.at, noon); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestNamesOf(t *testing.T) {
	names := strings.Split("abcdefg", "")
	if got := namesOf(names[:5]); got != "a, b, c, d, e" {
		t.Errorf("five names are %q", got)
	}
	if got := namesOf(names); got != "a, b, c, d, e and 2 more" {
		t.Errorf("seven names are %q", got)
	}
}

// A status that the API server refuses would leave the one before.
func TestStatusIsNoLongerThanAllowed(t *testing.T) {
	long := strings.Repeat("ä", maxMessage)
	for _, c := range []struct{ text, want string }{
		{long, long},
		{long + "b", strings.Repeat("ä", maxMessage-3) + "..."},
	} {
		status := providerStatus(&v1alpha1.WebhookProvider{}, &provider.Sender{Reason: v1alpha1.ReasonExampleFailed, Problem: c.text})
		if got := status.Conditions[0].Message; got != c.want {
			t.Errorf("the message has %d bytes and ends in %q", len(got), got[len(got)-8:])
		}
	}
}
