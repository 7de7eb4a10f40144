package eventsapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const host = "sallyport-events-api.sallyport.svc"

func TestACertificateServesOnlyItsName(t *testing.T) {
	now := time.Now()
	data, err := newServingCertificate(host, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := readServingCertificate(data, host, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf := s.certificate.Leaf
	if leaf.IsCA || len(leaf.DNSNames) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("the certificate is %+v", leaf)
	}
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	if _, err := readServingCertificate(data, host, leaf.NotAfter.Add(-third-time.Minute)); err != nil {
		t.Errorf("more than a third of its life is left, and it is not used: %v", err)
	}
	if s, err := readServingCertificate(data, host, leaf.NotAfter.Add(-third+time.Minute)); !errors.Is(err, errRenew) || s == nil {
		t.Errorf("less than a third of its life is left, and the error is %v", err)
	}
	other, err := newServingCertificate(host, now, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]func() (*servingCertificate, error){
		"over": func() (*servingCertificate, error) {
			return readServingCertificate(data, host, leaf.NotAfter.Add(time.Second))
		},
		"another name": func() (*servingCertificate, error) { return readServingCertificate(data, "other.sallyport.svc", now) },
		"nothing":      func() (*servingCertificate, error) { return readServingCertificate(nil, host, now) },
		"another CA": func() (*servingCertificate, error) {
			return readServingCertificate(with(data, entryCA, other[entryCA]), host, now)
		},
		"no CA": func() (*servingCertificate, error) {
			return readServingCertificate(with(data, entryCA, nil), host, now)
		},
		"another's key": func() (*servingCertificate, error) {
			return readServingCertificate(with(data, corev1.TLSPrivateKeyKey, other[corev1.TLSPrivateKeyKey]), host, now)
		},
		"no certificate": func() (*servingCertificate, error) {
			return readServingCertificate(with(data, corev1.TLSCertKey, []byte("x")), host, now)
		},
	} {
		if s, err := bad(); err == nil || errors.Is(err, errRenew) || s != nil {
			t.Errorf("%s: it can be used (%v)", name, err)
		}
	}
}

func with(data map[string][]byte, name string, value []byte) map[string][]byte {
	changed := map[string][]byte{name: value}
	for other, kept := range data {
		if other != name {
			changed[other] = kept
		}
	}
	return changed
}

// keepers are replicas that share an API server.
type keepers struct {
	t       *testing.T
	client  client.WithWatch
	now     time.Time
	refused error // of writes to the APIService
}

func newKeepers(t *testing.T) *keepers {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	k := &keepers{t: t, now: time.Now()}
	k.client = fake.NewClientBuilder().WithScheme(scheme).WithReturnManagedFields().WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if k.refused != nil {
				return k.refused
			}
			return c.Apply(ctx, o, opts...)
		},
	}).Build()
	return k
}

func (k *keepers) newKeeper() *keeper {
	return &keeper{client: k.client, live: k.client, namespace: "sallyport", now: func() time.Time { return k.now }, log: logr.Discard()}
}

func (k *keepers) install() {
	k.t.Helper()
	o := newAPIService()
	o.SetName(apiServiceName)
	o.Object["spec"] = map[string]any{"group": "events.hooks.sallyport.dev", "version": "v1alpha1", "groupPriorityMinimum": int64(1000), "versionPriority": int64(15)}
	if err := k.client.Create(k.t.Context(), o); err != nil {
		k.t.Fatal(err)
	}
}

// trusted are the CAs in the APIService.
func (k *keepers) trusted() []byte {
	k.t.Helper()
	o := newAPIService()
	if err := k.client.Get(k.t.Context(), types.NamespacedName{Name: apiServiceName}, o); err != nil {
		k.t.Fatal(err)
	}
	text, _, _ := unstructured.NestedString(o.Object, "spec", "caBundle")
	ca, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		k.t.Fatal(err)
	}
	return ca
}

// serves checks that the API server would talk to a replica.
func (k *keepers) serves(keeper *keeper, trusted []byte) {
	k.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	if _, err := keeper.certificate().Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, CurrentTime: k.now}); err != nil {
		k.t.Errorf("the API server would refuse what is served: %v", err)
	}
}

func TestReplicasServeWithOneCertificate(t *testing.T) {
	k := newKeepers(t)
	a, b := k.newKeeper(), k.newKeeper()
	for _, keeper := range []*keeper{a, b} {
		if err := keeper.keep(t.Context()); err != nil {
			t.Fatalf("without an APIService: %v", err)
		}
	}
	if !same(a.certificate(), b.certificate()) {
		t.Error("the replicas serve with different certificates")
	}
	k.install()
	if err := b.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.serves(a, k.trusted())
}

func same(a, b *tls.Certificate) bool { return bytes.Equal(a.Leaf.Raw, b.Leaf.Raw) }

func TestARenewalInterruptsNobody(t *testing.T) {
	k := newKeepers(t)
	k.install()
	a, b := k.newKeeper(), k.newKeeper()
	for _, keeper := range []*keeper{a, b} {
		if err := keeper.keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := a.certificate()
	k.now = k.now.Add(certificateLife * 3 / 4)

	// The new certificate is made, and its CA can't be told: the old one serves.
	k.refused = errors.New("refused")
	if err := a.keep(t.Context()); err == nil || !same(a.certificate(), before) {
		t.Fatalf("a certificate serves that nobody trusts (error %v)", err)
	}
	k.refused = nil
	if err := a.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if same(a.certificate(), before) || !same(b.certificate(), before) {
		t.Fatal("only the first replica should serve with the new certificate")
	}
	k.serves(a, k.trusted())
	k.serves(b, k.trusted())
	if err := b.keep(t.Context()); err != nil || !same(a.certificate(), b.certificate()) {
		t.Fatalf("the second replica does not follow: %v", err)
	}
	k.now = k.now.Add(certificateLife * 3 / 4)
	if err := b.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(k.trusted(), []byte("BEGIN CERTIFICATE")); got != 2 {
		t.Errorf("%d CAs are trusted, want the last two", got)
	}
}

func TestASecretThatIsBrokenIsReplaced(t *testing.T) {
	k := newKeepers(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "sallyport", Name: ServiceName}, Data: map[string][]byte{corev1.TLSCertKey: []byte("x")}}
	if err := k.client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	a := k.newKeeper()
	if err := a.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(secret.Data[entryCA])
	if block == nil {
		t.Fatal("there is no CA in the Secret")
	}
	k.serves(a, secret.Data[entryCA])
}

// What somebody else wrote into the APIService is put right.
func TestTheCAIsKeptInTheAPIService(t *testing.T) {
	k := newKeepers(t)
	k.install()
	a := k.newKeeper()
	if err := a.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := k.trusted()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"caBundle":null}}`))
	o := newAPIService()
	o.SetName(apiServiceName)
	if err := k.client.Patch(t.Context(), o, patch); err != nil {
		t.Fatal(err)
	}
	if err := a.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.trusted(), want) {
		t.Error("the CA is missing")
	}
}
