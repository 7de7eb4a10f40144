package eventsapi

import (
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// discover answers what there is; every user may know that. The API server asks for
// it to see whether we are there.
func discover(method, path string) (runtime.Object, error) {
	if method != "get" && method != "head" {
		return nil, apierrors.NewMethodNotSupported(schema.GroupResource{}, method)
	}
	gv := eventsv1alpha1.SchemeGroupVersion
	switch strings.TrimSuffix(path, "/") {
	case "/apis":
		return &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}, Groups: []metav1.APIGroup{group()}}, nil
	case "/apis/" + gv.Group:
		g := group()
		return &g, nil
	case "/apis/" + gv.String():
		return &metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: gv.String(), APIResources: resources(),
		}, nil
	}
	return nil, apierrors.NewGenericServerResponse(404, method, schema.GroupResource{}, "", "there is nothing at this path", 0, false)
}

func group() metav1.APIGroup {
	version := metav1.GroupVersionForDiscovery{GroupVersion: eventsv1alpha1.SchemeGroupVersion.String(), Version: eventsv1alpha1.SchemeGroupVersion.Version}
	return metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: eventsv1alpha1.SchemeGroupVersion.Group,
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}
}

// resources leaves two verbs unsaid that are served nevertheless, because of what is
// done with all resources that have them. Before a namespace goes, all that can be
// deleted in it is, and must be gone: an outage of Redis would keep every namespace of
// the cluster from going. And what can be listed and watched is mirrored by tools such
// as Argo CD: records would fill their memory.
func resources() []metav1.APIResource {
	read := metav1.Verbs{"get", "list"}
	return []metav1.APIResource{
		{Name: eventsv1alpha1.ResourceWebhookEvents, SingularName: "webhookevent", Kind: kindEvent, Namespaced: true, ShortNames: []string{"whev"}, Verbs: read},
		{Name: eventsv1alpha1.ResourceWebhookEvents + "/" + eventsv1alpha1.SubresourcePayload, Kind: kindPayload, Namespaced: true, Verbs: metav1.Verbs{"get"}},
		{Name: eventsv1alpha1.ResourceWebhookRecords, SingularName: "webhookrecord", Kind: kindRecord, Namespaced: true, ShortNames: []string{"whrec"}, Verbs: metav1.Verbs{"list"}},
		{Name: eventsv1alpha1.ResourceWebhookQueues, SingularName: "webhookqueue", Kind: kindQueue, Namespaced: true, ShortNames: []string{"whq"}, Verbs: read},
	}
}
