package system

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// tenant is somebody who may do everything in the namespace of a world, but nothing
// with Secrets, and nothing elsewhere.
type tenant struct {
	*world
	client kube.WithWatch
	// may are the resources that the tenant may read and write.
	may []schema.GroupVersionKind
	// neighbour is a namespace of others, with a Service and a Secret of the same names.
	neighbour string
	// stranger stands for the Service of the neighbour.
	stranger *cluster.Target
}

// newTenant makes a world with a tenant in it, after the preparations.
func newTenant(t *testing.T, prepare ...func(*world)) *tenant {
	t.Helper()
	w := newWorld(t)
	for _, do := range prepare {
		do(w)
	}
	x := &tenant{world: w, neighbour: w.namespace + "-neighbour", stranger: w.startTarget()}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: x.neighbour}})
	service, secret := w.service(), w.secret("what only the neighbour knows")
	service.Namespace, secret.Namespace = x.neighbour, x.neighbour
	w.create(service)
	w.create(secret)

	user := w.namespace + "-tenant"
	x.allowAllButSecrets(user)
	x.client = actAs(t, user, "system:authenticated")
	options := w.receiverOptions("a")
	options.ConnectTo[fmt.Sprintf("%s/%s:%d", x.neighbour, serviceName, servicePort)] = x.stranger.Address
	r, err := shared.StartReceiver(w.ctx, options)
	w.must(err)
	w.endWithTest(r)
	w.receiver = r
	return x
}

// allowAllButSecrets grants a user all resources of the namespace that the API server
// knows of, one by one, and leaves out Secrets.
func (x *tenant) allowAllButSecrets(user string) {
	x.t.Helper()
	client, err := kubernetes.NewForConfig(shared.Config)
	x.must(err)
	_, lists, err := client.Discovery().ServerGroupsAndResources()
	x.must(err)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: x.namespace, Name: "tenant"}}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		x.must(err)
		for _, r := range list.APIResources {
			if !r.Namespaced || r.Name == "secrets" {
				continue
			}
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{version.Group}, Resources: []string{r.Name}, Verbs: []string{"*"}})
			if slices.Contains(r.Verbs, "list") {
				x.may = append(x.may, version.WithKind(r.Kind))
			}
		}
	}
	x.create(role)
	x.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.namespace, Name: "tenant"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "tenant"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	})
	x.awaitRight(user, nil, authorizationv1.ResourceAttributes{Verb: "create", Group: v1alpha1.SchemeGroupVersion.Group, Resource: "webhookendpoints"})
}

// apply makes an endpoint as the tenant.
func (x *tenant) apply(name string, changes ...with) (endpoint, error) {
	x.t.Helper()
	object := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.namespace, Name: name},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  "github",
			SecretRef: &v1alpha1.SecretKeyReference{Name: secretName},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: serviceName, Port: intstr.FromInt32(servicePort), Path: "/in"}},
		},
	}
	for _, change := range changes {
		change(&object.Spec)
	}
	return endpoint{kube.ObjectKeyFromObject(object), "/" + x.namespace + "/" + name}, x.client.Create(x.ctx, object)
}

func (x *tenant) expectInvalid(what string, err error) {
	x.t.Helper()
	if !apierrors.IsInvalid(err) {
		x.t.Errorf("%s gets %v, want it refused as invalid", what, err)
	}
}

func at(path string) with {
	return func(spec *v1alpha1.WebhookEndpointSpec) { spec.Path = path }
}

func to(service string) with {
	return func(spec *v1alpha1.WebhookEndpointSpec) { spec.Target.Service.Name = service }
}

func signedWith(secret string) with {
	return func(spec *v1alpha1.WebhookEndpointSpec) { spec.SecretRef.Name = secret }
}

// Whatever path an endpoint asks for, its URL begins with its own namespace.
func TestTenantCannotTakeThePathOfAnotherNamespace(t *testing.T) {
	x := newTenant(t)
	theirs := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: x.neighbour, Name: "github"},
		Spec:       v1alpha1.WebhookEndpointSpec{Provider: "github", SecretRef: &v1alpha1.SecretKeyReference{Name: secretName}, Target: &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: serviceName, Port: intstr.FromInt32(servicePort)}}},
	}
	if err := x.client.Create(x.ctx, theirs.DeepCopy()); !apierrors.IsForbidden(err) {
		t.Errorf("an endpoint in the neighbour's namespace gets %v, want Forbidden", err)
	}
	for _, path := range []string{"/../" + x.neighbour + "/github", "//" + x.neighbour + "/github", "/%2e%2e/" + x.neighbour, x.neighbour + "/github", "https://hooks.example.test/" + x.neighbour + "/github"} {
		_, err := x.apply("squatter", at(path))
		x.expectInvalid("the path "+path, err)
	}

	// The path of the neighbour, whether or not the neighbour is there yet.
	mine, err := x.apply("github", at("/"+x.neighbour+"/github"))
	x.must(err)
	x.awaitReady(mine)
	found := &v1alpha1.WebhookEndpoint{}
	x.must(x.client.Get(x.ctx, mine.NamespacedName, found))
	if want := publicURL + "/" + x.namespace + "/" + x.neighbour + "/github"; found.Status.URL != want {
		t.Errorf("the URL is %s, want %s", found.Status.URL, want)
	}
	claimed := endpoint{path: "/" + x.neighbour + "/github"}
	if answer := x.github(claimed, "one", "{}"); answer.Status != http.StatusNotFound {
		t.Errorf("the neighbour's path answers %d, want 404", answer.Status)
	}
	x.create(theirs)
	t.Cleanup(func() {
		if err := shared.Client.Delete(context.Background(), theirs); err != nil {
			t.Error(err)
		}
	})
	x.awaitReady(endpoint{NamespacedName: kube.ObjectKeyFromObject(theirs)})
	answer := x.post(claimed, cluster.GitHub("what only the neighbour knows", "push", "two", []byte("{}")), "{}")
	x.expectAcknowledged(answer, "accepted", "two")
	got, err := x.stranger.Requests.Await(x.ctx, func(r cluster.Received) bool { return r.EventID() == "two" })
	x.must(err)
	if got.Header.Get("Sallyport-Endpoint") != x.neighbour+"/github" {
		t.Errorf("the event came through %s, want the neighbour's endpoint", got.Header.Get("Sallyport-Endpoint"))
	}
}

// A target is a Service of the endpoint's own namespace, and stays one.
func TestTenantCannotReachAServiceOfAnotherNamespace(t *testing.T) {
	x := newTenant(t)
	for _, service := range []string{serviceName + "." + x.neighbour, x.neighbour + "/" + serviceName, serviceName + "." + x.neighbour + ".svc.cluster.local", "http://" + serviceName + "." + x.neighbour, "127.0.0.1"} {
		_, err := x.apply("reaching", to(service))
		x.expectInvalid("the target "+service, err)
	}
	// The path of a request to the target can't lead to another host either.
	for _, path := range []string{"//" + serviceName + "." + x.neighbour + "/in", "/@" + serviceName + "." + x.neighbour, "/%2f%2f" + x.neighbour} {
		e, err := x.apply("path-"+fmt.Sprint(len(path)), func(spec *v1alpha1.WebhookEndpointSpec) { spec.Target.Service.Path = path })
		x.must(err)
		x.awaitReady(e)
		x.expectAcknowledged(x.github(e, path, "{}"), "accepted", path)
		x.awaitDelivery(path)
	}

	// A Service that is a name of something else.
	lure := x.service()
	lure.Name, lure.Spec = "lure", corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: serviceName + "." + x.neighbour + ".svc.cluster.local"}
	x.must(x.client.Create(x.ctx, lure))
	lured, err := x.apply("lured", to("lure"))
	x.must(err)
	_, err = shared.AwaitCondition(x.ctx, lured.NamespacedName, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonTargetNotAllowed)
	x.must(err)

	// One that becomes it while the endpoint is served: what comes is kept.
	honest := x.service()
	honest.Name = "honest"
	x.must(x.client.Create(x.ctx, honest))
	turned, err := x.apply("turned", to("honest"))
	x.must(err)
	x.awaitReady(turned)
	x.must(x.client.Patch(x.ctx, honest, kube.RawPatch(types.MergePatchType, []byte(`{"spec":{"type":"ExternalName","externalName":"`+lure.Spec.ExternalName+`","clusterIP":null,"clusterIPs":null,"ipFamilies":null,"ipFamilyPolicy":null,"internalTrafficPolicy":null}}`))))
	_, err = shared.AwaitCondition(x.ctx, turned.NamespacedName, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonTargetNotAllowed)
	x.must(err)
	x.awaitServed(turned, func(*corev1.Secret) bool { return true })
	x.expectAcknowledged(x.github(turned, "kept", "{}"), "accepted", "kept")

	// By now everything else would have come.
	e, err := x.apply("plain")
	x.must(err)
	x.awaitReady(e)
	x.expectAcknowledged(x.github(e, "plain", "{}"), "accepted", "plain")
	x.awaitDelivery("plain")
	if came := x.stranger.Requests.All(); len(came) > 0 {
		t.Errorf("the neighbour's Service got %d events of the tenant", len(came))
	}
}

// References are names of the same namespace, whoever may read what.
func TestTenantCannotUseASecretOfAnotherNamespace(t *testing.T) {
	x := newTenant(t)
	x.must(shared.Client.Delete(x.ctx, x.secret("")))
	for _, name := range []string{x.neighbour + "/" + secretName, "../" + x.neighbour + "/" + secretName} {
		_, err := x.apply("borrowing", signedWith(name))
		x.expectInvalid("the Secret "+name, err)
	}
	for i, name := range []string{secretName, secretName + "." + x.neighbour} {
		e, err := x.apply(fmt.Sprint("borrowing-", i), signedWith(name))
		x.must(err)
		_, err = shared.AwaitCondition(x.ctx, e.NamespacedName, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonSecretNotFound)
		x.must(err)
		x.awaitServed(e, func(*corev1.Secret) bool { return true })
		x.expectPutOff(x.post(e, cluster.GitHub("what only the neighbour knows", "push", "one", []byte("{}")), "{}"))
	}
}

// A Secret that the tenant can't read is used by an endpoint of the tenant in every
// way there is, rightly and wrongly. Nothing that the tenant can read then has it.
func TestTenantReadsNothingOfASecretThroughAnEndpoint(t *testing.T) {
	x := newTenant(t, (*world).serveEvents)
	values := map[string]string{
		"secret":  "Tr0ub4dor&3-unreadable",
		"renewed": "correct-horse-unreadable",
		"signing": "whsec_bm90IHJlYWRhYmxlIGF0IGFsbA==",
		"badkey":  "whsec_no-base64-unreadable!",
		"user":    "unreadable-without-a-colon",
		"json":    `["unreadable-first","unreadable-second"`,
	}
	hidden := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: x.namespace, Name: "hidden"}, StringData: values}
	x.create(hidden)
	if err := x.client.Get(x.ctx, kube.ObjectKeyFromObject(hidden), &corev1.Secret{}); !apierrors.IsForbidden(err) {
		t.Fatalf("the tenant gets %v for a Secret, want Forbidden", err)
	}
	using := func(provider, key string) with {
		return func(spec *v1alpha1.WebhookEndpointSpec) {
			spec.Provider, spec.SecretRef = provider, &v1alpha1.SecretKeyReference{Name: "hidden", Key: key}
		}
	}
	e, err := x.apply("github", using("github", "secret"), func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Target.SigningSecretRef = &v1alpha1.SecretKeyReference{Name: "hidden", Key: "signing"}
	})
	x.must(err)
	x.awaitReady(e)
	// Values that their schemes can't use, which the status complains of, and one as a
	// path, as an event type and as whatever else is shown.
	for name, wrong := range map[string]with{"bad-key": using("standard-webhooks", "badkey"), "bad-user": using("alertmanager-basic", "user"), "bad-list": using("github", "json"), "none": using("github", "missing")} {
		_, err := x.apply(name, wrong)
		x.must(err)
	}
	unsignable, err := x.apply("bad-signing", func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Target.SigningSecretRef = &v1alpha1.SecretKeyReference{Name: "hidden", Key: "badkey"}
	})
	x.must(err)
	_, err = shared.AwaitCondition(x.ctx, unsignable.NamespacedName, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonSigningSecretInvalid)
	x.must(err)

	// What comes of it is recorded: authentic, forged, and given up.
	x.target.React(cluster.Status(http.StatusGone))
	send := func(id, secret string) cluster.Answer {
		return x.post(e, cluster.GitHub(secret, "push", id, []byte("{}")), "{}")
	}
	x.expectAcknowledged(send("one", values["secret"]), "accepted", "one")
	x.awaitOutcome(audit.DeadLettered, "one")
	if answer := send("forged", "another"); answer.Status != http.StatusUnauthorized {
		t.Errorf("a forgery is answered %d, want 401", answer.Status)
	}
	x.must(shared.Client.Patch(x.ctx, hidden, kube.RawPatch(types.MergePatchType, []byte(`{"stringData":{"secret":"`+values["renewed"]+`"}}`))))
	x.awaitServed(e, func(s *corev1.Secret) bool { return holds(s, values["renewed"]) })
	x.expectAcknowledged(send("two", values["renewed"]), "accepted", "two")
	x.expectAcknowledged(send("three", values["secret"]), "accepted", "three")
	x.awaitOutcome(audit.DeadLettered, "three")
	x.awaitRecordedAs("three", audit.DeadLettered)
	_, err = shared.AwaitEvent(x.ctx, e.NamespacedName, func(event *eventsv1.Event) bool { return event.Reason == "DeadLettered" })
	x.must(err)

	var hints []string
	for _, value := range values {
		hints = append(hints, spellings(value)...)
	}
	seen := x.readEverything()
	for _, hint := range hints {
		for what, text := range seen {
			if strings.Contains(text, hint) {
				t.Errorf("%s has %q, of a Secret that the tenant can't read", what, hint)
			}
		}
	}
	for _, kind := range []string{"WebhookEndpoint", "Service", "Event", "WebhookEvent"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(seen)), func(what string) bool { return strings.HasPrefix(what, kind+" ") }) {
			t.Errorf("the tenant reads no %s, so this test has seen nothing", kind)
		}
	}
	for name, log := range map[string]string{"the manager's log": strings.Join(manager.Log().All(), "\n"), "the receiver's log": strings.Join(x.receiver.Log().All(), "\n"), "the audit log": fmt.Sprintf("%+v", x.receiver.Audit.All())} {
		for _, hint := range hints {
			if strings.Contains(log, hint) {
				t.Errorf("%s has %q", name, hint)
			}
		}
	}
}

// spellings are the ways in which a value could be shown.
func spellings(value string) []string {
	return []string{
		value, base64.StdEncoding.EncodeToString([]byte(value)), base64.URLEncoding.EncodeToString([]byte(value)),
		strings.Trim(fmt.Sprintf("%q", value), `"`), hex.EncodeToString([]byte(value)), strings.TrimPrefix(value, "whsec_"),
	}
}

// readEverything reads all objects of all kinds in the namespace, as the tenant: each
// as it is in JSON, by its kind and name.
func (x *tenant) readEverything() map[string]string {
	x.t.Helper()
	seen := map[string]string{}
	for _, kind := range x.may {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := x.client.List(x.ctx, &list, kube.InNamespace(x.namespace)); err != nil {
			x.t.Errorf("the tenant can't list %s: %v", kind, err)
		}
		for i, item := range list.Items {
			text, err := item.MarshalJSON()
			x.must(err)
			seen[fmt.Sprintf("%s %s (%d)", kind.Kind, item.GetName(), i)] = string(text)
		}
	}
	return seen
}
