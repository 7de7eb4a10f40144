package compile

import (
	"slices"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
)

func TestPath(t *testing.T) {
	for path, want := range map[string]string{"": "/shop/orders", "/pay": "/shop/pay", "/v1/pay": "/shop/v1/pay"} {
		endpoint := claimant("orders", path, noon)
		if got := Path(&endpoint); got != want {
			t.Errorf("with spec.path %q the path is %q, want %q", path, got, want)
		}
	}
}

// Whatever order the API server lists them in, and whoever is asked: one has the
// path, and all others are told that it does.
func TestOneOfAllHasThePath(t *testing.T) {
	all := []v1alpha1.WebhookEndpoint{
		claimant("d", "/pay", noon),
		claimant("b", "/pay", noon.Add(-time.Hour)),
		claimant("a", "/pay", noon.Add(time.Second)),
		claimant("c", "/pay", noon.Add(-time.Hour)),
		claimant("pay", "", noon),
		claimant("oldest", "/other", noon.Add(-24*time.Hour)),
	}
	for range all {
		all = append(all[1:], all[0])
		for i := range all {
			rivals := slices.Delete(slices.Clone(all), i, i+1)
			problems := pathConflict(&all[i], rivals)
			switch all[i].Name {
			case "b", "oldest":
				if problems != nil {
					t.Errorf("%s does not have its path: %s", all[i].Name, problems.Message())
				}
			default:
				want := `The path /shop/pay belongs to the endpoint "b" of this namespace, which came first: choose another spec.path.`
				if problems == nil || problems.Message() != want || problems.Reason() != v1alpha1.ReasonPathConflict {
					t.Errorf("%s is told %v, want %q", all[i].Name, problems, want)
				}
			}
		}
	}
}
