package keys

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"sallyport.dev/sallyport/receiver/verify"
)

// sender answers requests for documents, at once and without a network.
type sender struct {
	mu      sync.Mutex
	answers map[string]func() (*http.Response, error)
	asked   map[string]int
	most    int // requests at a time
	running int
}

func (s *sender) RoundTrip(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked[request.URL.String()]++
	s.running++
	s.most = max(s.most, s.running)
	answer := s.answers[request.URL.String()]
	s.mu.Unlock()
	time.Sleep(time.Second) // of the bubble
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
	if answer == nil {
		return page(http.StatusNotFound, "", ""), nil
	}
	return answer()
}

func (s *sender) says(url string, answer func() (*http.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[url] = answer
}

func (s *sender) publishes(url, text, cacheControl string) {
	s.says(url, func() (*http.Response, error) { return page(http.StatusOK, text, cacheControl), nil })
}

func (s *sender) times(url string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[url]
}

func page(status int, text, cacheControl string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Cache-Control": {cacheControl}}, Body: io.NopCloser(strings.NewReader(text))}
}

// keySet is a JWK Set whose key has a name.
func keySet(name string) string {
	return fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":%q,`+
		`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`, name)
}

const address = "https://sender.example.com/jwks.json"

var (
	source = verify.FetchSource{URL: address, Algorithm: verify.JSONWebToken}
	orders = types.NamespacedName{Namespace: "shop", Name: "orders"}
	pay    = types.NamespacedName{Namespace: "shop", Name: "pay"}
)

// world is a cache that runs, in a bubble of its own time.
type world struct {
	*Cache
	t      *testing.T
	sender *sender
	mu     sync.Mutex
	told   []types.NamespacedName
}

func inBubble(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, sender: &sender{answers: map[string]func() (*http.Response, error){}, asked: map[string]int{}}}
		w.Cache = New(Options{Transport: w.sender})
		w.OnChange(func(users []types.NamespacedName) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, users...)
		})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- w.Start(ctx) }()
		test(w)
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// after lets time pass and returns who was told of news meanwhile.
func (w *world) after(d time.Duration) []types.NamespacedName {
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

// knows is what a user is told of the source: its key, or the problem.
func (w *world) knows(user types.NamespacedName) string {
	state := w.Use(user, source)[source]
	_, after, _ := strings.Cut(string(state.Keys), `"kid":"`)
	kid, _, _ := strings.Cut(after, `"`)
	return strings.TrimSpace(kid + " " + state.Problem)
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestNobodyWaits(t *testing.T) {
	inBubble(t, func(w *world) {
		w.sender.publishes(address, keySet("1"), "")
		start := time.Now()
		expect(w.t, "at once it", w.knows(orders), "")
		expect(w.t, "asking took", time.Since(start), 0)
		expect(w.t, "who is told", w.after(2*time.Second), []types.NamespacedName{orders})
		expect(w.t, "then it", w.knows(orders), "1")
		expect(w.t, "another", w.knows(pay), "1")
		expect(w.t, "requests", w.sender.times(address), 1)
	})
}

func TestRefresh(t *testing.T) {
	for name, c := range map[string]struct {
		cacheControl string
		within       time.Duration // it is asked again in this time, and not in nine tenths of it
	}{
		"without a word":    {"", 10 * time.Minute},
		"as asked for":      {"public, max-age=3600, must-revalidate", time.Hour},
		"in any case":       {`Max-Age="3600"`, time.Hour},
		"not too often":     {"max-age=1", 5 * time.Minute},
		"not at each event": {"max-age=0, no-store", 5 * time.Minute},
		"not too seldom":    {"max-age=31536000", 24 * time.Hour},
		"nonsense":          {"max-age=soon", 10 * time.Minute},
		"too much":          {"max-age=99999999999999999999", 10 * time.Minute},
		"negative":          {"max-age=-5", 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				w.sender.publishes(address, keySet("1"), c.cacheControl)
				w.knows(orders)
				w.after(time.Second)
				w.sender.publishes(address, keySet("2"), c.cacheControl)
				expect(w.t, "who is told before", len(w.after(c.within*9/10-2*time.Second)), 0)
				expect(w.t, "before", w.knows(orders), "1")
				expect(w.t, "who is told", w.after(c.within/10+4*time.Second), []types.NamespacedName{orders})
				expect(w.t, "after", w.knows(orders), "2")
				expect(w.t, "who is told of the same again", len(w.after(c.within+2*time.Second)), 0)
			})
		})
	}
}

func TestFailures(t *testing.T) {
	inBubble(t, func(w *world) {
		w.knows(orders)
		expect(w.t, "who is told", w.after(2*time.Second), []types.NamespacedName{orders})
		expect(w.t, "it", w.knows(orders), "the answer was 404 Not Found")

		expect(w.t, "who is told of the same again", len(w.after(12*time.Second)), 0)
		expect(w.t, "requests", w.sender.times(address), 2)
		w.after(time.Hour)
		if n := w.sender.times(address); n < 10 || n > 16 {
			w.t.Errorf("%d requests in an hour: the waits should double up to ten minutes", n)
		}

		w.sender.says(address, func() (*http.Response, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "sender.example.com"}
		})
		expect(w.t, "who is told of another problem", w.after(11*time.Minute), []types.NamespacedName{orders})
		expect(w.t, "it", w.knows(orders), "the name of the host can't be resolved")

		w.sender.publishes(address, keySet("1"), "")
		expect(w.t, "who is told of the end", w.after(11*time.Minute), []types.NamespacedName{orders})
		expect(w.t, "it", w.knows(orders), "1")
	})
}

func TestTheLastGoodDocumentIsKept(t *testing.T) {
	inBubble(t, func(w *world) {
		w.sender.publishes(address, keySet("1"), "")
		w.knows(orders)
		w.after(2 * time.Second)
		for _, bad := range []string{"<html>Maintenance</html>", `{"keys":[]}`, "", strings.Repeat("a", verify.MaxFetchBytes+1)} {
			w.sender.publishes(address, bad, "")
			before := w.sender.times(address)
			expect(w.t, "who is told", len(w.after(11*time.Minute)), 0)
			if got := w.knows(orders); !strings.HasPrefix(got, "1 ") || strings.Contains(got, "Maintenance") {
				w.t.Errorf("it is %q", got)
			}
			if w.sender.times(address) == before {
				w.t.Error("nobody asked again")
			}
		}
		w.sender.publishes(address, keySet("1"), "")
		expect(w.t, "who is told of the same keys", len(w.after(11*time.Minute)), 0)
		expect(w.t, "it", w.knows(orders), "1")
	})
}

func TestWhatNobodyUsesIsNotFetched(t *testing.T) {
	inBubble(t, func(w *world) {
		w.sender.publishes(address, keySet("1"), "")
		w.knows(orders)
		w.knows(pay)
		w.after(2 * time.Second)
		w.Use(orders)
		w.after(11 * time.Minute)
		expect(w.t, "requests for the other user", w.sender.times(address), 2)

		other := verify.FetchSource{URL: "https://sender.example.com/other", Algorithm: verify.JSONWebToken}
		w.Use(pay, other)
		w.after(24 * time.Hour)
		expect(w.t, "requests after all have gone", w.sender.times(address), 2)
		w.Use(pay)
		expect(w.t, "documents", len(w.entries)+len(w.used), 0)

		w.knows(orders)
		w.Use(orders) // while it is asked for
		expect(w.t, "who is told", len(w.after(time.Minute)), 0)
		expect(w.t, "documents", len(w.entries), 0)
	})
}

func TestBounds(t *testing.T) {
	inBubble(t, func(w *world) {
		user := func(i int) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(i)} }
		for i := range maxSources {
			url := fmt.Sprintf("https://sender.example.com/%d", i)
			w.sender.publishes(url, keySet("1"), "max-age=86400")
			w.Use(user(i), verify.FetchSource{URL: url, Algorithm: verify.JSONWebToken})
		}
		expect(w.t, "one more", w.knows(orders), "there are too many other documents to fetch")
		expect(w.t, "who is told", len(w.after(time.Duration(maxSources/maxRequests+2)*time.Second)), maxSources)
		expect(w.t, "requests at a time", w.sender.most, maxRequests)
		w.Use(user(0))
		expect(w.t, "when one goes it", w.knows(orders), "")
	})
}

func TestRetryWaits(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 6: 320 * time.Second, 7: 10 * time.Minute, 1 << 30: 10 * time.Minute} {
		for range 100 {
			if got := defaultPace.retry(failures); got > want || got < want*9/10 {
				t.Errorf("after %d failures the wait is %v, want about %v", failures, got, want)
			}
		}
	}
}
