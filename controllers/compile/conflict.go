package compile

import (
	"sallyport.dev/sallyport/api/v1alpha1"
)

// Path is the URL path of an endpoint: "/<namespace>", then what the spec says
// or "/<name>". It begins with the namespace, so nobody can claim a path of
// another namespace.
func Path(endpoint *v1alpha1.WebhookEndpoint) string {
	if endpoint.Spec.Path != "" {
		return "/" + endpoint.Namespace + endpoint.Spec.Path
	}
	return "/" + endpoint.Namespace + "/" + endpoint.Name
}

// pathConflict names the endpoint that has the path, if another one has it.
func pathConflict(endpoint *v1alpha1.WebhookEndpoint, rivals []v1alpha1.WebhookEndpoint) Problems {
	winner := endpoint
	for i := range rivals {
		if Path(&rivals[i]) == Path(endpoint) && precedes(&rivals[i], winner) {
			winner = &rivals[i]
		}
	}
	if winner.Name == endpoint.Name {
		return nil
	}
	return problem(v1alpha1.ReasonPathConflict,
		"The path %s belongs to the endpoint %q of this namespace, which came first: choose another spec.path.", Path(endpoint), winner.Name)
}

// precedes reports whether a has a path rather than b: the oldest wins, then
// the name.
func precedes(a, b *v1alpha1.WebhookEndpoint) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
