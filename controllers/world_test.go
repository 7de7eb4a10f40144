package controllers_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordination "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// anEndpoint receives from the preset "till", with the Secret "hook", for the
// Service "shop-api".
func anEndpoint(name string, details ...func(*v1alpha1.WebhookEndpointSpec)) *v1alpha1.WebhookEndpoint {
	endpoint := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  "till",
			SecretRef: &v1alpha1.SecretKeyReference{Name: "hook"},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: "shop-api", Port: intstr.FromInt32(8080)}},
		},
	}
	for _, detail := range details {
		detail(&endpoint.Spec)
	}
	return endpoint
}

func at(path string) func(*v1alpha1.WebhookEndpointSpec) {
	return func(spec *v1alpha1.WebhookEndpointSpec) { spec.Path = path }
}

func from(provider string) func(*v1alpha1.WebhookEndpointSpec) {
	return func(spec *v1alpha1.WebhookEndpointSpec) { spec.Provider = provider }
}

func toPort(name string) func(*v1alpha1.WebhookEndpointSpec) {
	return func(spec *v1alpha1.WebhookEndpointSpec) { spec.Target.Service.Port = intstr.FromString(name) }
}

// aSecret is what endpoints refer to.
func aSecret(value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "hook"},
		StringData: map[string]string{"secret": value},
	}
}

// aService is a Service with the port 8080, called http.
func aService(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 8080}}},
	}
}

// aProvider sends the secret in the header X-Token.
func aProvider(name string) *v1alpha1.WebhookProvider {
	return &v1alpha1.WebhookProvider{
		TypeMeta:   metav1.TypeMeta{APIVersion: "hooks.sallyport.dev/v1alpha1", Kind: "WebhookProvider"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.WebhookProviderSpec{
			Verify: []v1alpha1.SignatureScheme{{
				Name:      "token",
				Algorithm: "Token",
				Signature: v1alpha1.SignatureFormat{From: []v1alpha1.RequestLocation{{Header: "X-Token"}}, Encoding: "Text"},
			}},
			Identity: v1alpha1.EventIdentity{ID: []v1alpha1.IdentityTemplate{"{header:X-Id}"}},
			Tests: []v1alpha1.ProviderTest{
				{Name: "the right token", Secret: "example-token", Request: requestWith("example-token"), Expect: v1alpha1.Expectation{ID: "1"}},
				{Name: "a wrong token", Secret: "example-token", Request: requestWith("another-token"), Expect: v1alpha1.Expectation{Rejected: "WrongSignature"}},
			},
		},
	}
}

func requestWith(token string) v1alpha1.ExampleRequest {
	return v1alpha1.ExampleRequest{Headers: []v1alpha1.ExampleHeader{{Name: "X-Token", Value: token}, {Name: "X-Id", Value: "1"}}}
}

// failing lets the second example of a provider state what doesn't come out.
func failing(provider *v1alpha1.WebhookProvider) {
	provider.Spec.Tests[1].Expect = v1alpha1.Expectation{ID: "1"}
}

// inOrder creates what endpoints refer to, and a receiver that serves everything.
func inOrder() {
	GinkgoHelper()
	create(aSecret("correct horse"), aService("shop-api"))
	receiver("all-knowing").serves(everything)
}

// everything is a resourceVersion that no route reaches.
const everything = "999999999999"

// receiver is the name of a receiver, for whose Lease the specs stand in.
type receiver string

// serves renews the Lease of the receiver for an hour.
func (r receiver) serves(version string) {
	GinkgoHelper()
	r.tells(version, time.Now(), time.Hour)
}

// tells writes the Lease of the receiver as it wrote it at a time. It goes with
// the spec.
func (r receiver) tells(version string, when time.Time, lasting time.Duration) {
	GinkgoHelper()
	lease := r.lease()
	err := cluster.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	lease.Labels = map[string]string{route.LabelReceiver: "true"}
	lease.Annotations = map[string]string{route.AnnotationServed: version}
	lease.Spec = coordination.LeaseSpec{
		HolderIdentity:       new(string(r)),
		LeaseDurationSeconds: new(int32(lasting / time.Second)),
		RenewTime:            new(metav1.NewMicroTime(when)),
	}
	if err == nil {
		Expect(cluster.Update(ctx, lease)).To(Succeed())
		return
	}
	create(lease)
	DeferCleanup(r.leaves)
}

// sees tells which keys of an endpoint the receiver has seen in use.
func (r receiver) sees(endpoint *v1alpha1.WebhookEndpoint, use route.KeyUse) {
	GinkgoHelper()
	text, err := route.EncodeKeyUse(map[string]route.KeyUse{endpoint.Namespace + "/" + endpoint.Name: use})
	Expect(err).NotTo(HaveOccurred())
	change(r.lease(), func(l *coordination.Lease) { l.Annotations[route.AnnotationKeyUse] = text })
}

// finds tells how the receiver finds the store, in a renewal of its Lease.
func (r receiver) finds(state route.StoreState, since time.Time) {
	GinkgoHelper()
	change(r.lease(), func(l *coordination.Lease) {
		l.Annotations[route.AnnotationStore] = route.StoreView{State: state, Since: since}.String()
		l.Spec.RenewTime = new(metav1.NowMicro())
	})
}

// leaves deletes the Lease, as a receiver does that shuts down.
func (r receiver) leaves() {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(cluster.Delete(ctx, r.lease()))).To(Succeed())
}

func (r receiver) lease() *coordination.Lease {
	return &coordination.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: routeNamespace, Name: "sallyport-receiver-" + string(r)}}
}

func create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(cluster.Create(ctx, object)).To(Succeed())
	}
}

func remove(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(cluster.Delete(ctx, object)).To(Succeed())
	}
}

// change edits an object as it is now in the cluster.
func change[T client.Object](object T, how func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		how(object)
		return cluster.Update(ctx, object)
	}).Should(Succeed())
}

// now reads an object from the cluster.
func now[T client.Object](object T) T {
	GinkgoHelper()
	Expect(cluster.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
	return object
}

// condition reads a condition, as "False SecretNotFound".
func condition(of *v1alpha1.WebhookEndpoint, kind string) func(Gomega) string {
	return func(g Gomega) string {
		c := find(g, of, kind)
		return fmt.Sprintf("%s %s", c.Status, c.Reason)
	}
}

// message reads the sentence of a condition.
func message(of *v1alpha1.WebhookEndpoint, kind string) func(Gomega) string {
	return func(g Gomega) string { return find(g, of, kind).Message }
}

// find reads a condition that speaks of the current generation.
func find(g Gomega, of *v1alpha1.WebhookEndpoint, kind string) metav1.Condition {
	read := &v1alpha1.WebhookEndpoint{}
	g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(of), read)).To(Succeed())
	c := meta.FindStatusCondition(read.Status.Conditions, kind)
	g.Expect(c).NotTo(BeNil(), "no condition %s yet", kind)
	g.Expect(c.ObservedGeneration).To(Equal(read.Generation))
	return *c
}

func becomesReady(endpoint *v1alpha1.WebhookEndpoint) {
	GinkgoHelper()
	Eventually(condition(endpoint, "Ready")).Should(Equal("True Ready"), "%s", endpoint.Name)
}

// routeSecret is the Secret that holds the route of an endpoint.
func routeSecret(of *v1alpha1.WebhookEndpoint) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: routeNamespace, Name: route.SecretName(of.Namespace, of.Name)}}
}

// routeOf reads the route of an endpoint as a receiver does.
func routeOf(endpoint *v1alpha1.WebhookEndpoint) func(Gomega) route.Route {
	return func(g Gomega) route.Route {
		read := routeSecret(endpoint)
		g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(read), read)).To(Succeed())
		decoded, err := route.Decode(read.Data)
		g.Expect(err).NotTo(HaveOccurred())
		return decoded
	}
}

// keyOf reads the key of the route of an endpoint; empty: it has none.
func keyOf(endpoint *v1alpha1.WebhookEndpoint) func(Gomega) string {
	return func(g Gomega) string {
		keys := routeOf(endpoint)(g).Keys
		if len(keys) == 0 {
			return ""
		}
		return string(keys[0].Value.Reveal())
	}
}

// keysOf reads all keys of the route of an endpoint.
func keysOf(endpoint *v1alpha1.WebhookEndpoint) func(Gomega) []string {
	return func(g Gomega) []string {
		var values []string
		for _, key := range routeOf(endpoint)(g).Keys {
			values = append(values, string(key.Value.Reveal()))
		}
		return values
	}
}

// aliasOf is the Service for senders inside the cluster.
func aliasOf(endpoint *v1alpha1.WebhookEndpoint) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: endpoint.Namespace, Name: endpoint.Name + "-webhook"}}
}

// exists reports whether an object is in the cluster.
func exists(object client.Object) func(Gomega) bool {
	return func(g Gomega) bool {
		err := cluster.Get(ctx, client.ObjectKeyFromObject(object), object)
		g.Expect(client.IgnoreNotFound(err)).To(Succeed())
		return err == nil
	}
}
