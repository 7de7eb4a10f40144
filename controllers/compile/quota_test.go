package compile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"sallyport.dev/sallyport/api/v1alpha1"
)

func TestQuotaOf(t *testing.T) {
	const endpoints, body = v1alpha1.AnnotationMaxEndpoints, v1alpha1.AnnotationMaxBodyBytes
	flags := Quota{MaxEndpoints: 10, MaxBodyBytes: 1 << 20}
	for name, test := range map[string]struct {
		annotations map[string]string
		want        Quota
		ignored     string
	}{
		"nothing said":       {nil, flags, ""},
		"both":               {map[string]string{endpoints: "50", body: "5Mi"}, Quota{MaxEndpoints: 50, MaxBodyBytes: 5 << 20}, ""},
		"only one":           {map[string]string{endpoints: "2"}, Quota{MaxEndpoints: 2, MaxBodyBytes: 1 << 20}, ""},
		"bytes":              {map[string]string{body: "1000"}, Quota{MaxEndpoints: 10, MaxBodyBytes: 1000}, ""},
		"no limit":           {map[string]string{endpoints: "0", body: "0"}, Quota{}, ""},
		"negative":           {map[string]string{endpoints: "-1"}, flags, endpoints},
		"too large a number": {map[string]string{endpoints: "4294967296"}, flags, endpoints},
		"a word":             {map[string]string{endpoints: "many"}, flags, endpoints},
		"empty":              {map[string]string{endpoints: ""}, flags, endpoints},
		"a size in words":    {map[string]string{body: "much"}, flags, body},
		"a part of a byte":   {map[string]string{body: "100m"}, flags, body},
		"a negative size":    {map[string]string{body: "-5Mi"}, flags, body},
	} {
		t.Run(name, func(t *testing.T) {
			got := QuotaOf(test.annotations, flags)
			ignored := strings.Join(got.Ignored, " ")
			if (ignored != "") != (test.ignored != "") || !strings.Contains(ignored, test.ignored) {
				t.Errorf("ignored is %q, want something about %q", ignored, test.ignored)
			}
			got.Ignored = nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the quota (-want +got):\n%s", diff)
			}
		})
	}
}

// The flags are not changed by what one namespace says.
func TestQuotaOfLeavesTheFlagsAlone(t *testing.T) {
	flags := Quota{Ignored: make([]string, 0, 1)}
	for range 2 {
		if got := QuotaOf(map[string]string{v1alpha1.AnnotationMaxEndpoints: "x"}, flags); len(got.Ignored) != 1 {
			t.Errorf("ignored is %q, want one sentence", got.Ignored)
		}
	}
}

// However they are listed, exactly as many endpoints are served as are allowed: those
// that have been served longest.
func TestPrecedeMakesAnOrder(t *testing.T) {
	all := []v1alpha1.WebhookEndpoint{
		claimant("d", "", noon), claimant("b", "", noon.Add(-time.Hour)), claimant("a", "", noon), claimant("c", "", noon.Add(-time.Hour)),
	}
	want := map[string]int{"b": 0, "c": 1, "a": 2, "d": 3}
	for range all {
		all = append(all[1:], all[0])
		for i := range all {
			if got := Precede(&all[i], all); got != want[all[i].Name] {
				t.Errorf("%d endpoints precede %s, want %d", got, all[i].Name, want[all[i].Name])
			}
		}
	}
}

func TestOverQuota(t *testing.T) {
	taking := func(size string) *v1alpha1.LimitsSpec {
		return &v1alpha1.LimitsSpec{MaxBodyBytes: new(resource.MustParse(size))}
	}
	for name, test := range map[string]struct {
		quota  Quota
		older  int
		limits *v1alpha1.LimitsSpec
		says   string
	}{
		"no quota":             {Quota{}, 1000, taking("64Mi"), ""},
		"the last one":         {Quota{MaxEndpoints: 3}, 2, nil, ""},
		"one too many":         {Quota{MaxEndpoints: 3}, 3, nil, "The platform team allows 3 endpoints in this namespace, and 3 came before this one"},
		"as much as allowed":   {Quota{MaxBodyBytes: 1 << 20}, 0, taking("1Mi"), ""},
		"more than allowed":    {Quota{MaxBodyBytes: 1 << 20}, 0, taking("1048577"), "limits.maxBodyBytes is 1048577, and the platform team allows 1Mi in this namespace"},
		"what it does not ask": {Quota{MaxBodyBytes: 1}, 0, &v1alpha1.LimitsSpec{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := claimant("orders", "", noon)
			endpoint.Spec.Limits = test.limits
			problems := overQuota(Input{Endpoint: &endpoint, Quota: test.quota, Older: test.older})
			if test.says == "" && problems != nil || test.says != "" && (problems.Reason() != v1alpha1.ReasonQuotaExceeded || !strings.HasPrefix(problems.Message(), test.says)) {
				t.Errorf("the problems are %v, want %q", problems, test.says)
			}
		})
	}
}

// A quota bounds what is taken by default, too: what a provider sends is no right.
func TestQuotaBoundsTheDefault(t *testing.T) {
	for name, test := range map[string]struct {
		spec  *v1alpha1.LimitsSpec
		quota Quota
		want  int64
	}{
		"no quota":          {nil, Quota{}, 25 << 20},
		"below the default": {nil, Quota{MaxBodyBytes: 512}, 512},
		"above the default": {nil, Quota{MaxBodyBytes: 60 << 20}, 25 << 20},
		"below what it asks, which then isn't served": {&v1alpha1.LimitsSpec{MaxBodyBytes: new(resource.MustParse("1Mi"))}, Quota{MaxBodyBytes: 512}, 512},
	} {
		if got := limits(test.spec, sender(t, "github"), test.quota).MaxBodyBytes; got != test.want {
			t.Errorf("%s: bodies of up to %d bytes are taken, want %d", name, got, test.want)
		}
	}
}
