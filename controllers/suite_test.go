package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/controllers/keys"
	"sallyport.dev/sallyport/test/apiserver"
)

// The specs run against a real API server, with one manager for all of them and
// a namespace for each. No garbage collector runs there, so what goes with its
// owner stays.
func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(10 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	SetDefaultConsistentlyDuration(300 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Controllers")
}

const (
	routeNamespace = "sallyport-system"
	receiverHost   = "sallyport-receiver.sallyport-system.svc.cluster.local"
)

var (
	ctx       = context.Background()
	scheme    = runtime.NewScheme()
	apiServer *rest.Config
	// cluster reads and writes without a cache.
	cluster client.Client
	// manager is the one that runs now.
	manager *controlPlane
	// namespace is that of the current spec.
	namespace string
	// clock is the one that managers go by.
	clock fakeClock
	// publisher is where senders publish their keys.
	publisher *website
	// graves are the dead letters that managers know of.
	graves *graveyard
)

// fakeClock goes as the real one does, and can be put forward.
type fakeClock struct{ ahead atomic.Int64 }

func (c *fakeClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// forward puts the clock forward until the spec ends.
func (c *fakeClock) forward(d time.Duration) {
	c.ahead.Add(int64(d))
	DeferCleanup(func() { c.ahead.Store(0) })
}

var _ = BeforeSuite(func() {
	ctrl.SetLogger(GinkgoLogr)
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())

	environment, config, err := apiserver.StartWithCRDs("../config/crd/bases")
	DeferCleanup(environment.Stop)
	Expect(err).NotTo(HaveOccurred())
	apiServer = config
	cluster, err = client.New(apiServer, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: routeNamespace}})

	publisher = openWebsite()
	graves = openGraveyard()
	manager = startManager()
	DeferCleanup(func() { manager.stop() })
})

var _ = BeforeEach(func() {
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	create(made)
	namespace = made.Name
	DeferCleanup(func() {
		Expect(cluster.DeleteAllOf(ctx, &v1alpha1.WebhookEndpoint{}, client.InNamespace(made.Name))).To(Succeed())
	})
})

// controlPlane is a running manager.
type controlPlane struct {
	// stop returns when the manager has stopped.
	stop func()
	// sent are the requests that it sent.
	sent *recorder
}

// startManager runs a manager, made as cmd/manager makes it, until it is stopped.
func startManager(changes ...func(*controllers.Options)) *controlPlane {
	GinkgoHelper()
	options := controllers.Options{
		RouteNamespace: routeNamespace,
		Settings:       compile.Settings{PublicURL: "https://hooks.example.com", ReceiverHost: receiverHost},
		Presets:        []*v1alpha1.WebhookProvider{aProvider("till")},
		Now:            clock.now,
		Keys:           keys.New(keys.Options{Transport: publisher.server.Client().Transport, Pace: briskPace}),
		DeadLetters:    graves,
		Audit:          &graves.records,
	}
	for _, change := range changes {
		change(&options)
	}
	sent := &recorder{}
	config := rest.CopyConfig(apiServer)
	config.Wrap(sent.wrap)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Cache:   controllers.CacheOptions(),
		Client:  controllers.ClientOptions(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		// The suite starts several managers in one process, one after the other.
		Controller: skipNameValidation,
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(controllers.Setup(mgr, options)).To(Succeed())

	running, cancel := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(running) }()
	return &controlPlane{sent: sent, stop: sync.OnceFunc(func() {
		cancel()
		var err error
		Eventually(stopped, 30*time.Second).Should(Receive(&err))
		Expect(err).NotTo(HaveOccurred())
	})}
}

var skipNameValidation = config.Controller{SkipNameValidation: new(true)}

// recorder stands between a manager and the API server.
type recorder struct {
	mu       sync.Mutex
	requests []*http.Request
	meddling func(*http.Request) (answered func(*http.Response))
	refusing func(*http.Request) bool
}

func (r *recorder) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		answered := r.record(request)
		if r.refuses(request) {
			return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Request: request}, nil
		}
		response, err := next.RoundTrip(request)
		if answered != nil && err == nil {
			answered(response)
		}
		return response, err
	})
}

func (r *recorder) record(request *http.Request) (answered func(*http.Response)) {
	r.mu.Lock()
	r.requests = append(r.requests, request)
	meddling := r.meddling
	r.mu.Unlock()
	if meddling == nil {
		return nil
	}
	return meddling(request)
}

// beforeNext does something before the next request to change a path is sent, and
// returns where the status code of the answer to that request will be.
func (r *recorder) beforeNext(path string, do func()) <-chan int {
	code := make(chan int, 1)
	var once sync.Once
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meddling = func(request *http.Request) (answered func(*http.Response)) {
		if changes(request) && strings.HasSuffix(request.URL.Path, path) {
			once.Do(func() {
				defer GinkgoRecover() // the manager's goroutine runs this
				do()
				answered = func(response *http.Response) { code <- response.StatusCode }
			})
		}
		return answered
	}
	return code
}

// refuse answers some requests with 403 from now on, and never sends them.
func (r *recorder) refuse(some func(*http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusing = some
}

func (r *recorder) refuses(request *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusing != nil && r.refusing(request)
}

// that returns the requests with a property, as "PATCH /api/v1/...".
func (r *recorder) that(have func(*http.Request) bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for _, request := range r.requests {
		if have(request) {
			found = append(found, request.Method+" "+request.URL.Path)
		}
	}
	return found
}

func changes(request *http.Request) bool { return request.Method != http.MethodGet }

// changing tells requests to change something whose path contains a text.
func changing(text string) func(*http.Request) bool {
	return func(request *http.Request) bool { return changes(request) && strings.Contains(request.URL.Path, text) }
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
