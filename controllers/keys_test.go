package controllers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/keys"
)

// briskPace lets documents be fetched again at once.
var briskPace = keys.Pace{
	Min: 50 * time.Millisecond, Default: 50 * time.Millisecond, Max: time.Hour,
	FirstRetry: 20 * time.Millisecond, LastRetry: 100 * time.Millisecond,
}

// website publishes documents by path.
type website struct {
	server *httptest.Server
	mu     sync.Mutex
	pages  map[string]string
}

func openWebsite() *website {
	w := &website{pages: map[string]string{}}
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if page, ok := w.pages[request.URL.Path]; ok {
			_, _ = answer.Write([]byte(page))
			return
		}
		http.NotFound(answer, request)
	}))
	DeferCleanup(w.server.Close)
	return w
}

// publish puts a document under the path of the spec, and returns its URL.
func (w *website) publish(text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages["/"+namespace] = text
	return w.url()
}

func (w *website) url() string { return w.server.URL + "/" + namespace }

// fails lets the sender answer 404.
func (w *website) fails() {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pages, "/"+namespace)
}

// aKeySet is a JWK Set with a new key of that name.
func aKeySet(name string) string {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	point, err := key.PublicKey.Bytes()
	Expect(err).NotTo(HaveOccurred())
	part := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}]}`, name, part(point[1:33]), part(point[33:]))
}

// fetchedBy reads the keys that were fetched for an endpoint.
func fetchedBy(endpoint *v1alpha1.WebhookEndpoint) func(Gomega) string {
	return func(g Gomega) string { return routeOf(endpoint)(g).Fetched[publisher.url()] }
}

var _ = Describe("The keys that a sender publishes", func() {
	var endpoint *v1alpha1.WebhookEndpoint
	BeforeEach(func() {
		create(aService("shop-api"))
		receiver("a").serves(everything)
		endpoint = anEndpoint("orders", withoutSecret, from(ownProvider(publishing(publisher.url())).Name))
	})

	It("are fetched, followed, and kept while the sender is away", func() {
		publisher.publish(aKeySet("first"))
		create(endpoint)
		becomesReady(endpoint)
		Expect(fetchedBy(endpoint)(Default)).To(ContainSubstring(`"kid":"first"`))
		Expect(keysOf(endpoint)(Default)).To(BeEmpty())

		By("changing")
		publisher.publish(aKeySet("second"))
		Eventually(fetchedBy(endpoint)).Should(ContainSubstring(`"kid":"second"`))
		becomesReady(endpoint)

		By("the sender's being away")
		publisher.fails()
		version := now(routeSecret(endpoint)).ResourceVersion
		Consistently(func() string { return now(routeSecret(endpoint)).ResourceVersion }).Should(Equal(version))
		Expect(condition(endpoint, "Ready")(Default)).To(Equal("True Ready"))

		By("the manager's starting meanwhile")
		manager.stop()
		reconciled := reconciliations()
		manager = startManager()
		Eventually(reconciliations).Should(BeNumerically(">", reconciled))
		Consistently(func() string { return now(routeSecret(endpoint)).ResourceVersion }).Should(Equal(version))
		Expect(condition(endpoint, "Ready")(Default)).To(Equal("True Ready"))

		By("coming back")
		publisher.publish(aKeySet("third"))
		Eventually(fetchedBy(endpoint)).Should(ContainSubstring(`"kid":"third"`))
	})

	It("are waited for", func() {
		create(endpoint)
		Eventually(message(endpoint, "ResolvedRefs")).Should(ContainSubstring("could not be fetched from " + publisher.url() + " yet: the answer was 404 Not Found."))
		Expect(condition(endpoint, "Ready")(Default)).To(Equal("False KeysNotFetched"))
		Expect(routeOf(endpoint)(Default).Unavailable).NotTo(BeEmpty())

		By("being none")
		publisher.publish("<html>Maintenance</html>")
		Eventually(message(endpoint, "ResolvedRefs")).Should(ContainSubstring("yet: what is there can't be used: "))
		Expect(message(endpoint, "ResolvedRefs")(Default)).NotTo(ContainSubstring("Maintenance"))

		By("coming")
		publisher.publish(aKeySet("first"))
		becomesReady(endpoint)
	})
})
