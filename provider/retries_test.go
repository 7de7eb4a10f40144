package provider_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// TestRetriesFitWhatIsJudged: a provider whose own facts say that genuine retries
// would be refused, or delivered twice, doesn't serve.
func TestRetriesFitWhatIsJudged(t *testing.T) {
	hours := func(n int) *metav1.Duration { return &metav1.Duration{Duration: time.Duration(n) * time.Hour} }
	for name, test := range map[string]struct {
		signature                 string
		within, tolerance, window *metav1.Duration
		want                      string
	}{
		"kept, and covered":             {"Kept", hours(7), hours(8), hours(24), ""},
		"kept, and refused":             {"Kept", hours(7), hours(6), hours(24), "a late retry would be refused"},
		"unknown, and refused":          {"Unknown", hours(7), hours(6), hours(24), "a late retry would be refused"},
		"anew":                          {"Anew", hours(7), hours(1), hours(24), ""},
		"repeated after the window":     {"Anew", hours(48), hours(1), hours(24), "a late retry would be a new event"},
		"replayed after the window":     {"None", nil, hours(13), hours(24), "a captured request could be sent again"},
		"twice the tolerance, and over": {"None", nil, hours(12), hours(24), ""},
		"the default window":            {"None", nil, hours(37), nil, "deduplication.window is 72h0m0s: it must be at least 74h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			object := preset(t, "stripe")
			object.Spec.Verify[0].Timestamp.Tolerance = test.tolerance
			object.Spec.Deduplication = &v1alpha1.ProviderDeduplication{Window: test.window}
			object.Spec.Facts.Retries = &v1alpha1.RetryFact{Signature: test.signature, Within: test.within}
			object.Spec.Tests = object.Spec.Tests[:1]
			sender := provider.Compile(object)
			if !strings.Contains(sender.Problem, test.want) || test.want == "" && sender.Problem != "" {
				t.Errorf("the problem is %q, want %q", sender.Problem, test.want)
			}
		})
	}
}
