package system

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"sallyport.dev/sallyport/test/cluster"
)

// Where a right holds: in the namespace of Sallyport, in those of users, or for
// what has no namespace.
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
// that the API server knows.
func TestTheProgramsMayDoNothingElse(t *testing.T) {
	asker := newRightsAsker(t)
	everybody := asker.rights("nobody-in-particular")
	for identity, want := range map[string][]string{
		"sallyport-receiver": {
			"cluster: events.events.k8s.io create,patch",
			"other namespaces: events.events.k8s.io create,patch",
			"own namespace: events.events.k8s.io create,patch",
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

// rightsAsker asks the API server what others may do.
type rightsAsker struct {
	t         *testing.T
	client    kubernetes.Interface
	resources []askedResource
}

type askedResource struct {
	schema.GroupResource
	namespaced bool
}

func newRightsAsker(t *testing.T) *rightsAsker {
	t.Helper()
	config := rest.CopyConfig(shared.Config)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := discovery.ServerPreferredResources(client.Discovery())
	if err != nil {
		t.Fatal(err)
	}
	a := &rightsAsker{t: t, client: client}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			a.resources = append(a.resources, askedResource{schema.GroupResource{Group: version.Group, Resource: r.Name}, r.Namespaced})
		}
	}
	if len(a.resources) < 40 {
		t.Fatalf("the API server knows %d resources, want all of Kubernetes'", len(a.resources))
	}
	return a
}

// rights lists what an identity may do: "<where>: <resource> <verbs>".
func (a *rightsAsker) rights(serviceAccount string) []string {
	a.t.Helper()
	type question struct {
		resource askedResource
		where    string
		verbs    []string
	}
	var questions []*question
	for _, r := range a.resources {
		places := []string{wholeCluster}
		if r.namespaced {
			places = []string{ownNamespace, otherNamespace, wholeCluster}
		}
		for _, where := range places {
			questions = append(questions, &question{resource: r, where: where})
		}
	}
	var asking sync.WaitGroup
	tickets := make(chan struct{}, rightsAsked)
	for _, q := range questions {
		asking.Go(func() {
			tickets <- struct{}{}
			defer func() { <-tickets }()
			for _, verb := range verbsThatMatter {
				if a.allowed(serviceAccount, authorizationv1.ResourceAttributes{
					Verb: verb, Group: q.resource.Group, Resource: q.resource.Resource, Namespace: namespaceOf(q.where),
				}) {
					q.verbs = append(q.verbs, verb)
				}
			}
		})
	}
	asking.Wait()
	var rights []string
	for _, q := range questions {
		if len(q.verbs) > 0 {
			rights = append(rights, fmt.Sprintf("%s: %s %s", q.where, q.resource.GroupResource, strings.Join(q.verbs, ",")))
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
			Groups:             []string{"system:serviceaccounts", "system:serviceaccounts:" + cluster.Namespace, "system:authenticated"},
			ResourceAttributes: &attributes,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		a.t.Errorf("ask for %s %s: %v", attributes.Verb, attributes.Resource, err)
		return false
	}
	return review.Status.Allowed
}

// managerRights are what config/rbac grants the manager.
var managerRights = []string{}
