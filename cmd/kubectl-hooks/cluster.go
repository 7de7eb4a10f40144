package main

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/api/v1alpha1"
)

// scheme has the types that this program speaks of.
var scheme = newScheme()

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, v1alpha1.AddToScheme, eventsv1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // two types of one name: a mistake of the program
		}
	}
	return s
}

// connect returns a client of the cluster; further calls return the same one.
func (a *app) connect() (client.WithWatch, error) {
	if a.client != nil {
		return a.client, nil
	}
	config, err := a.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the API server's priority and fairness bounds what is asked
	config.UserAgent = programName
	config.WarningHandler = rest.NewWarningWriter(a.ErrOut, rest.WarningWriterOptions{
		Deduplicate: true, Color: printers.AllowsColorOutput(a.ErrOut),
	})
	a.client, err = client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: mapper()})
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster: %w", err)
	}
	return a.client, nil
}

// mapper knows where the types are. Asking the API server would cost requests,
// and a failure if any aggregated API of the cluster is down.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	add := func(version schema.GroupVersion, kind string, scope meta.RESTScope) {
		singular := strings.ToLower(kind)
		m.AddSpecific(version.WithKind(kind), version.WithResource(singular+"s"), version.WithResource(singular), scope)
	}
	add(appsv1.SchemeGroupVersion, "Deployment", meta.RESTScopeNamespace)
	add(corev1.SchemeGroupVersion, "Namespace", meta.RESTScopeRoot)
	add(corev1.SchemeGroupVersion, "Secret", meta.RESTScopeNamespace)
	add(v1alpha1.SchemeGroupVersion, "WebhookProvider", meta.RESTScopeRoot)
	add(v1alpha1.SchemeGroupVersion, "WebhookEndpoint", meta.RESTScopeNamespace)
	add(v1alpha1.SchemeGroupVersion, "WebhookReplay", meta.RESTScopeNamespace)
	for _, kind := range []string{"WebhookEvent", "WebhookRecord", "WebhookQueue"} {
		add(eventsv1alpha1.SchemeGroupVersion, kind, meta.RESTScopeNamespace)
	}
	return m
}

// namespace is that of --namespace, else that of the kubeconfig's context.
func (a *app) namespace() (string, error) {
	namespace, _, err := a.flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}
