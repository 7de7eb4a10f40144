package eventsapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// maxEndpoints bounds the endpoints that one request may be about, since each has a
// journal of its own to be read.
const maxEndpoints = 1000

// endpointRef names an endpoint.
type endpointRef struct{ namespace, name string }

// String is what the store calls it.
func (r endpointRef) String() string { return r.namespace + "/" + r.name }

// refOf is the inverse of String.
func refOf(endpoint string) endpointRef {
	namespace, name, _ := strings.Cut(endpoint, "/")
	return endpointRef{namespace, name}
}

// endpoints lists those of a namespace, or of all if it is empty, in the order of
// their names. They belong to the cache and are not to be changed.
func (a *api) endpoints(ctx context.Context, namespace string) ([]v1alpha1.WebhookEndpoint, error) {
	if namespace != "" && len(a.Namespaces) > 0 && !slices.Contains(a.Namespaces, namespace) {
		return nil, nil // there are none that this manager serves
	}
	var list v1alpha1.WebhookEndpointList
	if err := a.Endpoints.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, apierrors.NewServiceUnavailable("the endpoints are not known yet: try again in a moment")
	}
	sorted := slices.DeleteFunc(slices.Clone(list.Items), func(e v1alpha1.WebhookEndpoint) bool { return e.Spec.ClassName != a.ClassName })
	if len(sorted) > maxEndpoints {
		return nil, apierrors.NewBadRequest(fmt.Sprintf(
			"there are %d endpoints, and at most %d can be asked about at a time: ask for one namespace, or for one endpoint by a field selector", len(sorted), maxEndpoints))
	}
	slices.SortFunc(sorted, func(a, b v1alpha1.WebhookEndpoint) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return sorted, nil
}

// refs names the endpoints that a request is about. One that is named need not exist
// any more: what it has received is still there.
func (a *api) refs(ctx context.Context, namespace, named string) ([]endpointRef, error) {
	if named != "" && namespace != "" {
		return []endpointRef{{namespace, named}}, nil
	}
	list, err := a.endpoints(ctx, namespace)
	if err != nil {
		return nil, err
	}
	refs := make([]endpointRef, 0, len(list))
	for i := range list {
		if named == "" || list[i].Name == named {
			refs = append(refs, endpointRef{list[i].Namespace, list[i].Name})
		}
	}
	return refs, nil
}
