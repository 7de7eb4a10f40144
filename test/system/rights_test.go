package system

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	applycoordination "k8s.io/client-go/applyconfigurations/coordination/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/cluster"
)

// Where a right holds: in the namespace of Sallyport, in those of users, or in all
// and for what has no namespace.
const (
	ownNamespace   = "own namespace"
	otherNamespace = "other namespaces"
	wholeCluster   = "cluster"
)

// verbsThatMatter are all that RBAC knows for resources, but for those of a few
// types (bind, escalate, use), which are asked for apart.
var verbsThatMatter = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// rightsAsked bounds how many questions are asked at a time.
const rightsAsked = 16

// What the identities of the programs may do is exactly this, of all resources
// that the API server knows, and their subresources.
func TestTheProgramsMayDoNothingElse(t *testing.T) {
	asker := newRightsAsker(t)
	everybody := asker.rights("nobody-in-particular")
	for identity, want := range map[string][]string{
		"sallyport-receiver": {
			"cluster: events.events.k8s.io create,patch",
			"own namespace: leases.coordination.k8s.io create,patch,delete",
			"own namespace: secrets list,watch",
		},
		"sallyport-manager": managerRights,
	} {
		t.Run(identity, func(t *testing.T) {
			got := asker.rights(identity)
			got = slices.DeleteFunc(got, func(right string) bool { return slices.Contains(everybody, right) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the rights of %s are not those of the list (-want +got):\n%s", identity, diff)
			}
		})
	}
}

// The rights that lead to all others.
func TestTheProgramsCanGrantThemselvesNothing(t *testing.T) {
	asker := newRightsAsker(t)
	for _, identity := range []string{"sallyport-receiver", "sallyport-manager"} {
		for _, a := range []authorizationv1.ResourceAttributes{
			{Verb: "bind", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
			{Verb: "escalate", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
			{Verb: "impersonate", Resource: "users"},
			{Verb: "impersonate", Resource: "serviceaccounts", Namespace: "kube-system"},
			{Verb: "create", Resource: "serviceaccounts", Subresource: "token", Namespace: cluster.Namespace},
			{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: cluster.Namespace},
			{Verb: "update", Resource: "services", Namespace: "team"},
			{Verb: "delete", Resource: "services", Namespace: "team"},
			{Verb: "update", Group: "hooks.sallyport.dev", Resource: "webhookendpoints", Namespace: "team"},
		} {
			if asker.allowed(identity, a) {
				t.Errorf("%s may %s %s/%s", identity, a.Verb, a.Resource, a.Subresource)
			}
		}
	}
}

// What the pod that faces the Internet is answered when it asks for more than it
// needs. These are requests, where TestTheProgramsMayDoNothingElse only asks.
func TestTheReceiverIsForbiddenEverythingElse(t *testing.T) {
	w := newWorld(t)
	client := actAs(t, receiverUser, programGroups...)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: secretName}}
	endpoint := &v1alpha1.WebhookEndpoint{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mine"}, Spec: v1alpha1.WebhookEndpointSpec{Provider: "github"}}
	own := metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "mine"}
	for what, ask := range map[string]func() error{
		"read a user's Secret":      func() error { return client.Get(w.ctx, kube.ObjectKeyFromObject(secret), secret) },
		"list the Secrets of users": func() error { return client.List(w.ctx, &corev1.SecretList{}, kube.InNamespace(w.namespace)) },
		"list all Secrets":          func() error { return client.List(w.ctx, &corev1.SecretList{}) },
		"watch all Secrets":         func() error { _, err := client.Watch(w.ctx, &corev1.SecretList{}); return err },
		"write a route":             func() error { return client.Create(w.ctx, &corev1.Secret{ObjectMeta: own}) },
		"list endpoints":            func() error { return client.List(w.ctx, &v1alpha1.WebhookEndpointList{}) },
		"list endpoints of a namespace": func() error {
			return client.List(w.ctx, &v1alpha1.WebhookEndpointList{}, kube.InNamespace(w.namespace))
		},
		"list providers":   func() error { return client.List(w.ctx, &v1alpha1.WebhookProviderList{}) },
		"list replays":     func() error { return client.List(w.ctx, &v1alpha1.WebhookReplayList{}) },
		"make an endpoint": func() error { return client.Create(w.ctx, endpoint) },
		"write a status":   func() error { return client.Status().Patch(w.ctx, endpoint, kube.Merge) },
		"list Leases": func() error {
			return client.List(w.ctx, &coordinationv1.LeaseList{}, kube.InNamespace(cluster.Namespace))
		},
		"write a Lease elsewhere": func() error {
			return client.Create(w.ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "sallyport-receiver-x"}})
		},
		"list namespaces":       func() error { return client.List(w.ctx, &corev1.NamespaceList{}) },
		"list Services":         func() error { return client.List(w.ctx, &corev1.ServiceList{}) },
		"list ConfigMaps":       func() error { return client.List(w.ctx, &corev1.ConfigMapList{}, kube.InNamespace(cluster.Namespace)) },
		"list Pods":             func() error { return client.List(w.ctx, &corev1.PodList{}, kube.InNamespace(cluster.Namespace)) },
		"make a Pod":            func() error { return client.Create(w.ctx, &corev1.Pod{ObjectMeta: own}) },
		"list Events":           func() error { return client.List(w.ctx, &eventsv1.EventList{}, kube.InNamespace(w.namespace)) },
		"list what may be what": func() error { return client.List(w.ctx, &rbacv1.RoleBindingList{}) },
		"get a token": func() error {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: "sallyport-manager"}}
			return client.SubResource("token").Create(w.ctx, account, &authenticationv1.TokenRequest{})
		},
	} {
		if err := ask(); !apierrors.IsForbidden(err) {
			t.Errorf("a receiver that wants to %s gets %v, want Forbidden", what, err)
		}
	}
	if err := client.List(w.ctx, &corev1.SecretList{}, kube.InNamespace(cluster.Namespace)); err != nil {
		t.Errorf("a receiver can't list the routes: %v", err)
	}
}

// Leases are the one thing that a receiver writes beside those of others, and RBAC
// can't tell them apart by name. Who held the manager's Lease could keep all managers
// from working.
func TestTheReceiverWritesItsOwnLeasesOnly(t *testing.T) {
	w := newWorld(t)
	receiver, manager := actAs(t, receiverUser, programGroups...), actAs(t, managerUser, programGroups...)
	named := func(name string) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: name}}
	}
	taken := named("sallyport-manager-" + w.namespace)
	w.must(manager.Create(w.ctx, taken))
	t.Cleanup(func() { w.must(shared.Client.Delete(context.Background(), taken)) })
	holder := []byte(`{"spec":{"holderIdentity":"a-stranger"}}`)
	for what, ask := range map[string]func() error{
		"takes the manager's": func() error {
			return receiver.Patch(w.ctx, taken.DeepCopy(), kube.RawPatch(types.MergePatchType, holder))
		},
		"applies the manager's": func() error {
			lease := applycoordination.Lease(taken.Name, taken.Namespace).WithSpec(applycoordination.LeaseSpec().WithHolderIdentity("a-stranger"))
			return receiver.Apply(w.ctx, lease, kube.FieldOwner("a-stranger"), kube.ForceOwnership)
		},
		"deletes the manager's": func() error { return receiver.Delete(w.ctx, taken.DeepCopy()) },
		"makes one like it":     func() error { return receiver.Create(w.ctx, named("sallyport-manager")) },
		"makes one of any name": func() error { return receiver.Create(w.ctx, named("x")) },
		"has a name made for one": func() error {
			lease := named("")
			lease.GenerateName = "x-"
			return receiver.Create(w.ctx, lease)
		},
	} {
		if err := ask(); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "a receiver writes Leases whose names begin with sallyport-receiver-") {
			t.Errorf("a receiver that %s gets %v, want it forbidden by the policy", what, err)
		}
	}
	own := named("sallyport-receiver-" + w.namespace)
	w.must(receiver.Create(w.ctx, own))
	w.must(receiver.Patch(w.ctx, own.DeepCopy(), kube.RawPatch(types.MergePatchType, holder)))
	w.must(receiver.Delete(w.ctx, own))
	w.must(manager.Update(w.ctx, taken.DeepCopy()))
}

// The policy holds wherever Sallyport is installed, and for its receivers only.
func TestLeasesOfReceiversElsewhere(t *testing.T) {
	w := newWorld(t)
	w.create(&rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "leases"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{coordinationv1.GroupName}, Resources: []string{"leases"}, Verbs: []string{"create"}}},
	})
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "leases"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "leases"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:serviceaccounts:" + w.namespace}},
	})
	w.awaitRight("system:serviceaccount:"+w.namespace+":sallyport-receiver", []string{"system:serviceaccounts:" + w.namespace},
		authorizationv1.ResourceAttributes{Verb: "create", Group: coordinationv1.GroupName, Resource: "leases"})
	write := func(account, lease string) error {
		client := actAs(t, "system:serviceaccount:"+w.namespace+":"+account, "system:serviceaccounts:"+w.namespace)
		return client.Create(w.ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: lease}})
	}
	if err := write("sallyport-receiver", "sallyport-manager"); !apierrors.IsForbidden(err) {
		t.Errorf("a receiver of another installation gets %v for the manager's Lease, want Forbidden", err)
	}
	w.must(write("sallyport-receiver", "sallyport-receiver-a"))
	w.must(write("sallyport-manager", "sallyport-manager"))
}

// The identities of the programs.
const (
	receiverUser = "system:serviceaccount:" + cluster.Namespace + ":sallyport-receiver"
	managerUser  = "system:serviceaccount:" + cluster.Namespace + ":sallyport-manager"
)

// programGroups are the groups of every ServiceAccount of the namespace.
var programGroups = []string{"system:serviceaccounts", "system:serviceaccounts:" + cluster.Namespace, "system:authenticated"}

// actAs returns a client that the API server takes for somebody else's.
func actAs(t *testing.T, user string, groups ...string) kube.WithWatch {
	t.Helper()
	config := rest.CopyConfig(shared.Config)
	config.QPS = -1
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	client, err := kube.NewWithWatch(config, kube.Options{Scheme: shared.Client.Scheme(), Mapper: shared.Client.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// rightsAsker asks the API server what others may do.
type rightsAsker struct {
	t         *testing.T
	client    kubernetes.Interface
	resources []askedResource
}

type askedResource struct {
	schema.GroupResource // "pods" or "pods/exec"
	namespaced           bool
	name                 string // of one object that is asked for, where all of them would be too many
}

func newRightsAsker(t *testing.T) *rightsAsker {
	t.Helper()
	config := rest.CopyConfig(shared.Config)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	a := &rightsAsker{t: t, client: client, resources: namedResources}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			asked := askedResource{GroupResource: schema.GroupResource{Group: version.Group, Resource: r.Name}, namespaced: r.Namespaced}
			if !slices.Contains(a.resources, asked) { // another version has it, too
				a.resources = append(a.resources, asked)
			}
		}
	}
	if len(a.resources) < 80 {
		t.Fatalf("the API server knows %d resources, want all of Kubernetes'", len(a.resources))
	}
	return a
}

// rights lists what an identity may do: "<where>: <resource> <verbs>". What it may do
// in the whole cluster is not listed again for the namespaces.
func (a *rightsAsker) rights(serviceAccount string) []string {
	a.t.Helper()
	type question struct {
		resource askedResource
		where    string
		cluster  *question // the same of the whole cluster
		verbs    []string
	}
	var questions []*question
	for _, r := range a.resources {
		everywhere := &question{resource: r, where: wholeCluster}
		questions = append(questions, everywhere)
		if r.namespaced {
			questions = append(questions,
				&question{resource: r, where: ownNamespace, cluster: everywhere},
				&question{resource: r, where: otherNamespace, cluster: everywhere})
		}
	}
	var asking sync.WaitGroup
	tickets := make(chan struct{}, rightsAsked)
	for _, q := range questions {
		asking.Go(func() {
			tickets <- struct{}{}
			defer func() { <-tickets }()
			for _, verb := range verbsThatMatter {
				resource, subresource, _ := strings.Cut(q.resource.Resource, "/")
				if a.allowed(serviceAccount, authorizationv1.ResourceAttributes{
					Verb: verb, Group: q.resource.Group, Resource: resource, Subresource: subresource, Name: q.resource.name, Namespace: namespaceOf(q.where),
				}) {
					q.verbs = append(q.verbs, verb)
				}
			}
		})
	}
	asking.Wait()
	var rights []string
	for _, q := range questions {
		if q.cluster != nil {
			q.verbs = slices.DeleteFunc(q.verbs, func(verb string) bool { return slices.Contains(q.cluster.verbs, verb) })
		}
		if len(q.verbs) > 0 {
			rights = append(rights, fmt.Sprintf("%s: %s %s", q.where, q.resource, strings.Join(q.verbs, ",")))
		}
	}
	slices.Sort(rights)
	return rights
}

func namespaceOf(where string) string {
	switch where {
	case ownNamespace:
		return cluster.Namespace
	case otherNamespace:
		return "team"
	default:
		return corev1.NamespaceAll
	}
}

func (a *rightsAsker) allowed(serviceAccount string, attributes authorizationv1.ResourceAttributes) bool {
	review, err := a.client.AuthorizationV1().SubjectAccessReviews().Create(a.t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + cluster.Namespace + ":" + serviceAccount,
			Groups:             programGroups,
			ResourceAttributes: &attributes,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		a.t.Errorf("ask for %s %s: %v", attributes.Verb, attributes.Resource, err)
		return false
	}
	return review.Status.Allowed
}

// String is "events.events.k8s.io", with "(name)" behind it if only one is meant.
func (r askedResource) String() string {
	if r.name == "" {
		return r.GroupResource.String()
	}
	return r.GroupResource.String() + " (" + r.name + ")"
}

// namedResources are what config/rbac knows by name, or the API server doesn't list.
var namedResources = []askedResource{
	{GroupResource: schema.GroupResource{Group: "apiregistration.k8s.io", Resource: "apiservices"}, name: "v1alpha1.events.hooks.sallyport.dev"},
	{GroupResource: schema.GroupResource{Group: v1alpha1.SchemeGroupVersion.Group, Resource: "webhookendpoints/finalizers"}, namespaced: true},
}

// managerRights are what config/rbac grants the manager. None of it changes or deletes
// what users made, but for the status, and the Services that are the manager's own by
// their name.
var managerRights = []string{
	// The APIService of the events API, which is there already: its certificate.
	"cluster: apiservices.apiregistration.k8s.io (v1alpha1.events.hooks.sallyport.dev) get,patch",
	// Authorities. Their metadata is watched, and one is read where an endpoint names it;
	// and who the API server's front proxy is.
	"cluster: configmaps get,list,watch",
	// What came of replays, and how receivers find Redis.
	"cluster: events.events.k8s.io create,patch",
	// Quotas.
	"cluster: namespaces get,list,watch",
	// Like ConfigMaps. Kubernetes has no right to metadata alone, so that nothing else is
	// listed is for the controllers' tests to show.
	"cluster: secrets get,list,watch",
	// Targets, and the Services for senders inside of the cluster.
	"cluster: services get,list,watch,create,patch",
	// Who may read events.
	"cluster: subjectaccessreviews.authorization.k8s.io create",
	"cluster: webhookendpoints.hooks.sallyport.dev get,list,watch",
	// To own Services, where the API server wants that right for it.
	"cluster: webhookendpoints/finalizers.hooks.sallyport.dev update",
	"cluster: webhookendpoints/status.hooks.sallyport.dev patch",
	// Presets.
	"cluster: webhookproviders.hooks.sallyport.dev get,list,watch,create,patch",
	"cluster: webhookproviders/status.hooks.sallyport.dev patch",
	"cluster: webhookreplays.hooks.sallyport.dev get,list,watch",
	"cluster: webhookreplays/status.hooks.sallyport.dev patch",
	// Who leads.
	"own namespace: events create,patch",
	// Who leads, and what receivers serve.
	"own namespace: leases.coordination.k8s.io get,list,watch,create,update",
	// Routes, and the certificate of the events API.
	"own namespace: secrets create,patch,delete",
}
