package eventsapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// ServiceName is that of the Service and of the Secret with the certificate, both in
// the route namespace.
const ServiceName = "sallyport-events-api"

// apiServiceName is what config/apiservice installs.
var apiServiceName = eventsv1alpha1.SchemeGroupVersion.Version + "." + eventsv1alpha1.SchemeGroupVersion.Group

// caOwner is the manager's name in server-side apply for the one field of the
// APIService that it writes.
const caOwner = client.FieldOwner("sallyport-manager-events-api")

// The time between two looks at Secret and APIService, and after an error.
const (
	keepInterval  = 10 * time.Second
	retryInterval = 3 * time.Second
)

// keeper keeps the certificate: all replicas serve with the one of the Secret, and the
// APIService trusts its CA.
type keeper struct {
	client    client.Client // to write
	live      client.Reader // to read: neither Secrets nor APIServices are cached
	namespace string
	now       func() time.Time
	log       logr.Logger

	current   atomic.Pointer[servingCertificate]
	installed bool // whether there was an APIService at the last look
	told      bool
}

// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,resourceNames=v1alpha1.events.hooks.sallyport.dev,verbs=get;patch

// run keeps the certificate until ctx ends.
func (k *keeper) run(ctx context.Context) {
	for {
		wait := keepInterval
		if err := k.keep(ctx); err != nil && ctx.Err() == nil {
			k.log.Error(err, "Could not keep the certificate of the events API; it is tried again")
			wait = retryInterval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (k *keeper) certificate() *tls.Certificate {
	if s := k.current.Load(); s != nil {
		return &s.certificate
	}
	return nil
}

// keep takes one look. A new certificate serves only once its CA is trusted, and those
// that serve with the one before are trusted as well.
func (k *keeper) keep(ctx context.Context) error {
	found, err := k.load(ctx)
	if err != nil {
		return err
	}
	if err := k.publish(ctx, found.authorities); err != nil && k.current.Load() != nil {
		return err
	} else if err != nil {
		k.log.Error(err, "Could not tell the API server which CA to trust")
	}
	k.current.Store(found)
	return nil
}

func (k *keeper) host() string { return ServiceName + "." + k.namespace + ".svc" }

// load reads the certificate of the Secret, and makes one if there is none or it does
// not serve for long any more.
func (k *keeper) load(ctx context.Context) (*servingCertificate, error) {
	secret := &corev1.Secret{}
	err := k.live.Get(ctx, types.NamespacedName{Namespace: k.namespace, Name: ServiceName}, secret)
	if apierrors.IsNotFound(err) {
		return k.create(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("read the Secret %s: %w", ServiceName, err)
	}
	found, err := readServingCertificate(secret.Data, k.host(), k.now())
	if err == nil {
		return found, nil
	}
	var previous []byte
	if errors.Is(err, errRenew) {
		previous = firstAuthority(found.authorities)
	} else {
		k.log.Info("The certificate of the events API can't be used; a new one is made", "reason", err.Error())
	}
	return k.renew(ctx, secret, previous)
}

// create makes the Secret, unless another replica has.
func (k *keeper) create(ctx context.Context) (*servingCertificate, error) {
	data, err := newServingCertificate(k.host(), k.now(), nil)
	if err != nil {
		return nil, err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: ServiceName, Labels: map[string]string{"app.kubernetes.io/managed-by": "sallyport"}},
		Type:       corev1.SecretTypeTLS, Data: data,
	}
	if err := k.client.Create(ctx, secret); err != nil {
		return nil, fmt.Errorf("create the Secret %s: %w", ServiceName, err)
	}
	return readServingCertificate(data, k.host(), k.now())
}

// renew replaces the certificate that was read, and no other.
func (k *keeper) renew(ctx context.Context, secret *corev1.Secret, previous []byte) (*servingCertificate, error) {
	data, err := newServingCertificate(k.host(), k.now(), previous)
	if err != nil {
		return nil, err
	}
	before := secret.DeepCopy()
	secret.Data = data
	if err := k.client.Patch(ctx, secret, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return nil, fmt.Errorf("renew the certificate in the Secret %s: %w", ServiceName, err)
	}
	return readServingCertificate(data, k.host(), k.now())
}

// publish writes into the APIService, if there is one, which CAs the API server is to trust.
func (k *keeper) publish(ctx context.Context, authorities []byte) error {
	found := newAPIService()
	err := k.live.Get(ctx, types.NamespacedName{Name: apiServiceName}, found)
	if apierrors.IsNotFound(err) {
		k.tell(false)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the APIService: %w", err)
	}
	k.tell(true)
	text, _, _ := unstructured.NestedString(found.Object, "spec", "caBundle")
	if trusted, err := base64.StdEncoding.DecodeString(text); err == nil && bytes.Equal(trusted, authorities) {
		return nil
	}
	change := newAPIService()
	change.SetName(apiServiceName)
	change.SetUID(found.GetUID()) // or it would be created, if it was deleted meanwhile
	change.Object["spec"] = map[string]any{"caBundle": base64.StdEncoding.EncodeToString(authorities)}
	if err := k.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(change), caOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("put the CA into the APIService: %w", err)
	}
	return nil
}

// tell logs whether there is an APIService, once and whenever that changes.
func (k *keeper) tell(installed bool) {
	if k.told && k.installed == installed {
		return
	}
	k.told, k.installed = true, installed
	if installed {
		k.log.Info("The events API is installed", "apiService", apiServiceName)
		return
	}
	k.log.Info("The events API is not installed, so nobody can ask it; install config/apiservice to have it", "apiService", apiServiceName)
}

func newAPIService() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
	return u
}
