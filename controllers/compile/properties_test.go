package compile

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
)

// The bits of a world, each of them something that may be so or not.
const (
	hasSecret = 1 << iota
	hasSecretKey
	hasService
	isExternalName
	allowExternalName
	isNamedPort
	hasForeignAlias
	hasOlderRival
	hasYoungerRival
	hasPublicURL
	hasLimits
	hasPublished
	everyBit = 1<<iota - 1
)

// world makes an Input of the bits. The value is that of the secret.
func world(bits uint16, name, path string, value []byte, sender *provider.Sender) Input {
	has := func(bit uint16) bool { return bits&bit != 0 }
	endpoint := claimant(name, path, noon)
	in := Input{Endpoint: &endpoint, Sender: sender, Secret: SecretFacts{Found: has(hasSecret)}}
	in.Settings = Settings{ReceiverHost: "receiver.sallyport-system.svc", AllowExternalName: has(allowExternalName)}
	if has(hasPublicURL) {
		in.Settings.PublicURL = "https://hooks.example.com"
	}
	if has(hasSecret) && has(hasSecretKey) {
		in.Secret.Entries = map[string][]byte{"secret": value}
	}
	if has(isNamedPort) {
		endpoint.Spec.Target.Service.Port = intstr.FromString("http")
	}
	if has(hasService) {
		service := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 8080}}}}
		if has(isExternalName) {
			service.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "example.org"}
		}
		in.Services = map[string]*corev1.Service{"shop-api": service}
	}
	if has(hasForeignAlias) {
		in.Alias = &corev1.Service{}
	}
	if has(hasOlderRival) {
		in.Rivals = append(in.Rivals, claimant("older", strings.TrimPrefix(Path(&endpoint), "/shop"), noon.Add(-time.Second)))
	}
	if has(hasYoungerRival) {
		in.Rivals = append(in.Rivals, claimant("younger", strings.TrimPrefix(Path(&endpoint), "/shop"), noon.Add(time.Second)))
	}
	if has(hasLimits) {
		endpoint.Spec.Limits = &v1alpha1.LimitsSpec{SourceRanges: []string{"192.30.252.0/22"}, RateLimit: &v1alpha1.RateLimitSpec{PerSecond: 5}}
	}
	in.Now = noon
	if has(hasPublished) {
		in.Published = &route.Route{
			Endpoint: route.Endpoint{UID: string(endpoint.UID)},
			Keys: []route.Key{
				{Value: secret.New([]byte("correct horse battery staple"))},
				{Value: secret.New([]byte("the one before")), ReplacedTime: new(noon.Add(-time.Hour))},
			},
		}
	}
	return in
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// claimant is an endpoint of the namespace shop that claims a path.
func claimant(name, path string, created time.Time) v1alpha1.WebhookEndpoint {
	return v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name), CreationTimestamp: metav1.NewTime(created)},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  "github",
			SecretRef: &v1alpha1.SecretKeyReference{Name: "hook", Key: "secret"},
			Path:      path,
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: "shop-api", Port: intstr.FromInt32(8080), Path: "/", Scheme: "http"}},
		},
	}
}

// What the CRD admits.
var (
	admittedName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,53}[a-z0-9])?$`)
	admittedPath = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
)

// What holds whatever the world is like.
func FuzzEndpoint(f *testing.F) {
	senders := []*provider.Sender{nil, sender(f, "github"), sender(f, "standard-webhooks"), sender(f, "url-signer"), sender(f, "liar"),
		sender(f, "bell"), sender(f, "ticket"), sender(f, "usher")}
	for i := range senders {
		f.Add(uint8(i), uint16(0), "orders", "", []byte(""))
		f.Add(uint8(i), uint16(everyBit&^hasOlderRival&^hasForeignAlias), "orders", "/pay", []byte("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n"))
		f.Add(uint8(i), uint16(everyBit), "orders", "/v1/pay", []byte(" \n"))
	}
	for bit := uint16(1); bit < everyBit; bit <<= 1 {
		f.Add(uint8(1), everyBit&^bit, "orders", "", []byte("correct horse battery staple"))
		f.Add(uint8(1), bit, "orders", "", []byte("correct horse battery staple"))
	}
	f.Fuzz(func(t *testing.T, which uint8, bits uint16, name, path string, value []byte) {
		if !admittedName.MatchString(name) || !admittedPath.MatchString(path) || name == "older" || name == "younger" {
			return // the API server refuses it, or it would be its own rival
		}
		in := world(bits, name, path, value, senders[int(which)%len(senders)])
		before := world(bits, name, path, value, senders[int(which)%len(senders)])
		result := Endpoint(in)

		if diff := cmp.Diff(before, in, cmp.AllowUnexported(provider.Sender{}), cmp.Comparer(func(a, b *provider.Sender) bool { return a == b }), sameSecret); diff != "" {
			t.Errorf("the input was changed:\n%s", diff)
		}
		if !reflect.DeepEqual(result, Endpoint(before)) {
			t.Errorf("equal inputs gave\n%+v\nand\n%+v", result, Endpoint(before))
		}
		if bits&hasOlderRival != 0 {
			if result.Route != nil || result.Alias != nil || result.URL != "" || len(result.Accepted) == 0 {
				t.Errorf("an endpoint whose path is another's has %+v", result)
			}
			return
		}
		canBePublished(t, result)
		failsClosed(t, in, result)
	})
}

var sameSecret = cmp.Comparer(func(a, b secret.Value) bool { return a.Equal(b.Reveal()) })

// canBePublished: a route is below its namespace, and the receiver takes it.
func canBePublished(t *testing.T, result Result) {
	t.Helper()
	if result.Route == nil {
		t.Fatal("an endpoint that has its path has no route")
	}
	if !strings.HasPrefix(result.Route.Path, "/shop/") {
		t.Errorf("the path is %q", result.Route.Path)
	}
	if _, err := route.Encode(*result.Route); err != nil {
		t.Errorf("the route can't be published: %v", err)
	}
	if (result.Alias == nil) != (len(result.Programmed) > 0) {
		t.Errorf("the in-cluster Service is %v, and its problems are %v", result.Alias, result.Programmed)
	}
}

// failsClosed: without a provider and a secret that are in order nothing is
// verified, and whoever looks is told why.
func failsClosed(t *testing.T, in Input, result Result) {
	t.Helper()
	r := result.Route
	if r.Unavailable == "" && (len(r.Keys) == 0 && r.Provider.NeedsSecret() || len(r.Provider.Schemes) == 0) {
		t.Error("the route is available without a key or a provider")
	}
	if r.Unavailable == "" && r.Provider.NeedsSecret() && r.Keys[0].NotAfter != nil {
		t.Error("the route is available with a previous secret alone")
	}
	if r.Unavailable == "" && r.Provider.NeedsSecret() && len(strings.TrimSpace(string(in.Secret.Entries["secret"]))) == 0 {
		t.Error("the route is available with a blank secret")
	}
	if r.Unavailable != "" && len(result.ResolvedRefs) == 0 {
		t.Errorf("the route is unavailable (%s) and no condition says so", r.Unavailable)
	}
	if r.Target.Unresolved != "" && len(result.ResolvedRefs) == 0 {
		t.Errorf("the target is not there (%s) and no condition says so", r.Target.Unresolved)
	}
	if result.ResolvedRefs != nil && r.Unavailable == "" && r.Target.Unresolved == "" {
		t.Errorf("there are problems (%s) and the route serves as if there were none", result.ResolvedRefs.Message())
	}
}
