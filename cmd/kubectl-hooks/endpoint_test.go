package main

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// newEndpoint makes an endpoint of a provider in a namespace.
func newEndpoint(t *testing.T, namespace, name, provider string, change func(*v1alpha1.WebhookEndpoint)) *v1alpha1.WebhookEndpoint {
	t.Helper()
	endpoint := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  provider,
			SecretRef: &v1alpha1.SecretKeyReference{Name: "webhook"},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: "orders", Port: intstr.FromInt32(80)}},
		},
	}
	if change != nil {
		change(endpoint)
	}
	create(t, endpoint)
	return endpoint
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     int
	}{{"", "", 0}, {"stripe", "stripe", 0}, {"stripe", "", 6}, {"", "abc", 3}, {"strpie", "stripe", 2}, {"github", "gitlab", 2}, {"kitten", "sitting", 3}} {
		if got := editDistance(test.from, test.to); got != test.want {
			t.Errorf("from %q to %q it is %d, want %d", test.from, test.to, got, test.want)
		}
	}
}

func TestCloseNamesAreSuggested(t *testing.T) {
	names := []string{"stripe", "stripe-test", "github", "slack", "gitlab"}
	for typed, want := range map[string][]string{
		"strpe":  {"stripe"},
		"str":    {"stripe", "stripe-test"},
		"githab": {"github", "gitlab"},
		"paypal": {},
	} {
		if got := closeTo(typed, names); !slices.Equal(got, want) {
			t.Errorf("for %s %q are suggested, want %q", typed, got, want)
		}
	}
}

func TestAnUnknownEndpointIsToldWithTheCloseOnes(t *testing.T) {
	namespace, empty := newNamespace(t), newNamespace(t)
	newEndpoint(t, namespace, "stripe", "stripe", nil)
	newEndpoint(t, namespace, "only-here", "stripe", nil)
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"mistyped":        {[]string{"stats", "strpe", "-n", namespace}, []string{"there is no endpoint strpe", "did you mean stripe?"}},
		"not at all":      {[]string{"stats", "paypal", "-n", namespace}, []string{"kubectl get webhookendpoints --namespace " + namespace}},
		"wrong namespace": {[]string{"stats", "only-here", "-n", empty}, []string{"did you mean " + namespace + "/only-here?"}},
		"empty namespace": {[]string{"stats", "nowhere", "-n", empty}, []string{"-n names another namespace"}},
		"with namespace":  {[]string{"stats", namespace + "/strpe"}, []string{"did you mean stripe?"}},
		"contradiction":   {[]string{"stats", namespace + "/stripe", "-n", empty}, []string{"is not in the namespace " + empty}},
		"no name":         {[]string{"stats", "a/b/c"}, []string{`"a/b/c" is no endpoint`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := hooks(t, test.args...)
			wantError(t, err, test.want...)
		})
	}
}

// The API server of these tests has no events API.
func TestWithoutTheEventsAPIItSaysWhatToDo(t *testing.T) {
	namespace := newNamespace(t)
	newEndpoint(t, namespace, "stripe", "stripe", nil)
	for _, args := range [][]string{
		{"events", "stripe"}, {"events"}, {"events", "-A"}, {"dead", "stripe"}, {"show", "evt_1"}, {"stats"}, {"stats", "stripe"}, {"tail", "stripe"},
		{"purge", "stripe", "--all", "--yes"}, {"show", "0123456789abcdef0123456789abcdef0123456789abcdef"},
	} {
		_, _, err := hooks(t, append(args, "-n", namespace)...)
		wantError(t, err, "the events API is not installed", "docs/events-api.md")
	}
}
