package compile

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// Quota is what the platform team allows in a namespace.
type Quota struct {
	// MaxEndpoints is how many endpoints may be served; 0: any number.
	MaxEndpoints int
	// MaxBodyBytes is the largest body that any of them may take; 0: whatever the
	// API allows.
	MaxBodyBytes int64
	// Ignored says which annotations of the namespace can't be read.
	Ignored []string
}

// QuotaOf reads the quota of a namespace from its annotations. Those that are
// missing, or that can't be read, leave what the manager's flags say.
func QuotaOf(annotations map[string]string, flags Quota) Quota {
	quota := flags
	if text, ok := annotations[v1alpha1.AnnotationMaxEndpoints]; ok {
		if n, err := strconv.ParseUint(text, 10, 31); err == nil {
			quota.MaxEndpoints = int(n)
		} else {
			quota.ignore(v1alpha1.AnnotationMaxEndpoints, "a whole number, for example 50")
		}
	}
	if text, ok := annotations[v1alpha1.AnnotationMaxBodyBytes]; ok {
		size, err := resource.ParseQuantity(text)
		if n, whole := size.AsInt64(); err == nil && whole && n >= 0 {
			quota.MaxBodyBytes = n
		} else {
			quota.ignore(v1alpha1.AnnotationMaxBodyBytes, "a whole number of bytes, for example 5Mi")
		}
	}
	return quota
}

func (q *Quota) ignore(annotation, form string) {
	q.Ignored = append(q.Ignored, fmt.Sprintf("The annotation %s of the namespace is ignored, because it is not %s.", annotation, form))
}

// Precede counts the other endpoints that come before this one when the quota has no room
// for all of them.
func Precede(endpoint *v1alpha1.WebhookEndpoint, others []v1alpha1.WebhookEndpoint) int {
	n := 0
	for i := range others {
		if others[i].Name != endpoint.Name && precedes(&others[i], endpoint) {
			n++
		}
	}
	return n
}

// overQuota lists what the endpoint asks for and the platform team doesn't allow.
func overQuota(in Input) (problems Problems) {
	if most := in.Quota.MaxEndpoints; most > 0 && in.Older >= most {
		problems = append(problems, problem(v1alpha1.ReasonQuotaExceeded,
			"The platform team allows %d endpoints in this namespace, and %d came before this one: delete another, or ask for more.", most, in.Older)...)
	}
	asked := in.Endpoint.Spec.Limits
	if most := in.Quota.MaxBodyBytes; most > 0 && asked != nil && asked.MaxBodyBytes != nil && asked.MaxBodyBytes.Value() > most {
		problems = append(problems, problem(v1alpha1.ReasonQuotaExceeded,
			"limits.maxBodyBytes is %s, and the platform team allows %s in this namespace: ask for less, or leave it out.",
			asked.MaxBodyBytes, resource.NewQuantity(most, resource.BinarySI))...)
	}
	return problems
}
