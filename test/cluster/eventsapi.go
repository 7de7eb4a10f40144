package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// InstallEventsAPI installs what config/apiservice does, but for where the managers
// are: in place of their Service stands a name for this machine, and the port of the
// address at which a manager serves the events API. Without a manager that does, the
// API server counts a part of itself as missing; so call RemoveEventsAPI afterwards.
func (c *Cluster) InstallEventsAPI(ctx context.Context, address string) error {
	text, err := os.ReadFile(filepath.Join(c.options.Root, "config", "apiservice", "apiservice.yaml"))
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, object); err != nil {
		return fmt.Errorf("read the APIService: %w", err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return err
	}
	name, _, err := unstructured.NestedString(object.Object, "spec", "service", "name")
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(object.Object, number, "spec", "service", "port"); err != nil {
		return err
	}
	service := eventsService(name)
	service.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}
	if err := c.Client.Create(ctx, service); err != nil {
		return err
	}
	return c.Client.Create(ctx, object)
}

// AwaitEventsAPI waits until the API server hands requests on to the manager.
func (c *Cluster) AwaitEventsAPI(ctx context.Context) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(apiServices.WithKind("APIServiceList"))
	var last string
	_, err := awaitObject(ctx, c.Client, list, types.NamespacedName{Name: eventsAPIName}, func(o *unstructured.Unstructured) bool {
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, each := range conditions {
			condition, _ := each.(map[string]any)
			last = fmt.Sprint(condition["reason"], ": ", condition["message"])
			if condition["type"] == "Available" && condition["status"] == "True" {
				return true
			}
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("wait for the events API: %w; it is %s", err, last)
	}
	return c.awaitHandedOn(ctx)
}

// awaitHandedOn asks for the events API until the API server hands requests on: it
// says so a moment before it does.
func (c *Cluster) awaitHandedOn(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	api, err := rest.UnversionedRESTClientForConfigAndClient(unversioned(c.Config), client)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := api.Get().AbsPath("/apis/events.hooks.sallyport.dev/v1alpha1").Do(ctx).Error()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the events API is not handed on: %w: %w", ctx.Err(), err)
		}
	}
}

func unversioned(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.QPS = -1
	return config
}

// RemoveEventsAPI takes back InstallEventsAPI.
func (c *Cluster) RemoveEventsAPI(ctx context.Context) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(apiServices.WithKind("APIService"))
	object.SetName(eventsAPIName)
	return errors.Join(
		client.IgnoreNotFound(c.Client.Delete(ctx, object)),
		client.IgnoreNotFound(c.Client.Delete(ctx, eventsService("sallyport-events-api"))),
	)
}

const eventsAPIName = "v1alpha1.events.hooks.sallyport.dev"

var apiServices = schema.GroupVersion{Group: "apiregistration.k8s.io", Version: "v1"}

func eventsService(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name}}
}
