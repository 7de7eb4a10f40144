package compile

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
)

// history is an endpoint that is compiled again and again: what is published is
// what the next compilation remembers.
type history struct {
	t        *testing.T
	endpoint v1alpha1.WebhookEndpoint
	sender   *provider.Sender
	now      time.Time
	secret   string // empty: there is no Secret
	route    *route.Route
	result   Result
}

func newHistory(t *testing.T, provider string) *history {
	t.Helper()
	return &history{t: t, endpoint: claimant("orders", "", noon), sender: sender(t, provider), now: noon.Add(300 * time.Millisecond)}
}

// compile publishes as the manager does: through the bytes of a Secret.
func (h *history) compile() *history {
	h.t.Helper()
	in := Input{Endpoint: &h.endpoint, Sender: h.sender, Now: h.now, Published: h.route}
	if h.secret != "" {
		in.Secret = SecretFacts{Found: true, Entries: map[string][]byte{"secret": []byte(h.secret)}}
	}
	h.result = Endpoint(in)
	data, err := route.Encode(*h.result.Route)
	if err != nil {
		h.t.Fatalf("it can't be published: %v", err)
	}
	read, err := route.Decode(data)
	if err != nil {
		h.t.Fatal(err)
	}
	h.route = &read
	return h
}

// put edits the Secret; empty deletes it.
func (h *history) put(value string) *history {
	h.t.Helper()
	h.secret = value
	return h.compile()
}

// after lets time pass.
func (h *history) after(d time.Duration) *history {
	h.t.Helper()
	h.now = h.now.Add(d)
	return h.compile()
}

// grace edits the endpoint.
func (h *history) grace(d time.Duration) *history {
	h.t.Helper()
	h.endpoint.Spec.SecretRotation = &v1alpha1.SecretRotationSpec{Grace: &metav1.Duration{Duration: d}}
	return h.compile()
}

// keys are the keys with the time that they have left: "new old:24h0m0s".
func (h *history) keys() string {
	var shown []string
	for i, key := range h.route.Keys {
		if key.Name != route.KeyName(i) {
			h.t.Errorf("key %d is called %s", i, key.Name)
		}
		text := string(key.Value.Reveal())
		if key.NotAfter != nil {
			text += ":" + key.NotAfter.Sub(h.now.Truncate(time.Second)).String()
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, " ")
}

func (h *history) has(want string) *history {
	h.t.Helper()
	if got := h.keys(); got != want {
		h.t.Errorf("the keys are %q, want %q", got, want)
	}
	return h
}

func TestRotation(t *testing.T) {
	// Each story begins with the secret "old".
	for name, live := range map[string]func(*history){
		"the first secret takes nobody's place": func(h *history) {
			h.has("old")
			if h.result.Rotation != nil || !h.result.Recheck.IsZero() {
				h.t.Errorf("there is a rotation %v, to be looked at again at %v", h.result.Rotation, h.result.Recheck)
			}
		},
		"the old one stays for a day, and ends when it was said": func(h *history) {
			h.put("new").has("new old:24h0m0s")
			ends := noon.Add(24 * time.Hour)
			if diff := cmp.Diff(&Rotation{Started: noon, PreviousEnds: ends}, h.result.Rotation); diff != "" || !h.result.Recheck.Equal(ends) {
				h.t.Errorf("to be looked at again at %v (-want +got):\n%s", h.result.Recheck, diff)
			}
			h.after(time.Hour).has("new old:23h0m0s")
			h.after(23*time.Hour - time.Second).has("new old:1s")
			h.after(time.Second).has("new")
			h.after(time.Hour).has("new")
		},
		"each has its own time":          func(h *history) { h.put("b").after(time.Hour).put("c").has("c b:24h0m0s old:23h0m0s") },
		"with no grace it goes at once":  func(h *history) { h.grace(0).put("new").has("new") },
		"it can be revoked later":        func(h *history) { h.put("new").after(time.Minute).grace(0).has("new") },
		"what is revoked stays so":       func(h *history) { h.put("new").grace(0).grace(time.Hour).has("new") },
		"a shorter grace shortens":       func(h *history) { h.put("new").after(time.Hour).grace(2 * time.Hour).has("new old:1h0m0s") },
		"a shorter grace that is over":   func(h *history) { h.put("new").after(time.Hour).grace(time.Hour).has("new") },
		"a longer grace extends":         func(h *history) { h.put("new").after(time.Hour).grace(48 * time.Hour).has("new old:47h0m0s") },
		"parts of a second are rounded":  func(h *history) { h.grace(1500 * time.Millisecond).put("new").has("new old:2s") },
		"going back makes it current":    func(h *history) { h.put("new").after(time.Hour).put("old").has("old new:24h0m0s") },
		"the newline is no new secret":   func(h *history) { h.put("old\n").has("old") },
		"a list of both is no rotation":  func(h *history) { h.put(`["new","old"]`).has("new old") },
		"leaving the list is one":        func(h *history) { h.put(`["new","old"]`).put("new").has("new old:24h0m0s") },
		"the order of a list is its own": func(h *history) { h.put(`["a","b"]`).put(`["b","a"]`).has("b a old:24h0m0s") },
		"of a list each that goes is old": func(h *history) {
			h.put(`["a","b","c"]`).put("d").has("d a:24h0m0s b:24h0m0s c:24h0m0s old:24h0m0s")
		},
		"a deleted Secret revokes all":  func(h *history) { h.put("new").put("").has("").put("new").has("new") },
		"an emptied Secret revokes all": func(h *history) { h.put("new").put(" \n").has("").put("new").has("new") },
		"the newest four stay": func(h *history) {
			for i := range 6 {
				h.after(time.Second).put(fmt.Sprint(i))
			}
			h.has("5 4:24h0m0s 3:23h59m59s 2:23h59m58s 1:23h59m57s")
		},
		"a mistyped list refuses everything and forgets nothing": func(h *history) {
			h.put(`["new",""]`).has("old:24h0m0s")
			if h.route.Unavailable == "" {
				h.t.Error("it serves")
			}
			h.after(time.Minute).put("new").has("new old:23h59m0s")
		},
		"another endpoint of the name remembers nothing": func(h *history) {
			h.endpoint.UID = "another"
			h.put("new").has("new")
		},
		"another provider does not take the old one's": func(h *history) {
			h.sender = sender(h.t, "url-signer")
			h.put("new").has("new")
		},
		"a provider that is away for a while forgets nothing": func(h *history) {
			h.put("new")
			there := h.sender
			h.sender = nil
			h.after(time.Hour).has("new old:23h0m0s")
			h.sender = there
			h.after(time.Hour).has("new old:22h0m0s")
		},
	} {
		t.Run(name, func(t *testing.T) { live(newHistory(t, "github").put("old")) })
	}
}

// What fits the provider no more is not kept, or the route could not be served.
func TestRotationDropsWhatFitsNoMore(t *testing.T) {
	h := newHistory(t, "github").put("no base64!")
	h.sender = sender(t, "standard-webhooks")
	h.route.Provider.Name = h.sender.Provider.Name // as if the provider had been edited
	h.put("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").has("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
}

// Whatever happens, in whatever order.
func TestRotationAlways(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		h := newHistory(t, "github").put("0")
		h.grace(24 * time.Hour)
		replaced := map[string]time.Time{} // when a secret was seen last as a current one
		for range 40 {
			for _, key := range h.route.Keys {
				if key.NotAfter == nil {
					replaced[string(key.Value.Reveal())] = h.now
				}
			}
			switch random.IntN(4) {
			case 0:
				h.put(fmt.Sprint(random.IntN(8)))
			case 1:
				h.put(fmt.Sprintf(`["%d","%d"]`, random.IntN(4), 4+random.IntN(4)))
			default:
				h.after(time.Duration(random.IntN(20*3600)) * time.Second)
			}
			h.obeys(replaced)
		}
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
}

// obeys holds the rules of the key list.
func (h *history) obeys(current map[string]time.Time) {
	h.t.Helper()
	var before *route.Key
	seen := map[string]bool{}
	for i := range h.route.Keys {
		key := &h.route.Keys[i]
		value := string(key.Value.Reveal())
		switch {
		case seen[value]:
			h.t.Errorf("%s is there twice", value)
		case key.NotAfter == nil && before != nil && before.NotAfter != nil:
			h.t.Errorf("%s is valid and stands behind one that ends", value)
		case key.NotAfter != nil && !h.now.Before(*key.NotAfter):
			h.t.Errorf("%s is over", value)
		case key.NotAfter != nil && key.NotAfter.After(h.now.Add(24*time.Hour)):
			h.t.Errorf("%s ends at %v, more than its grace from %v", value, key.NotAfter, h.now)
		case key.NotAfter != nil && current[value].IsZero():
			h.t.Errorf("%s never was a secret", value)
		case key.NotAfter != nil && before.NotAfter != nil && key.NotAfter.After(*before.NotAfter):
			h.t.Errorf("%s ends later than the newer one before it", value)
		}
		seen[value], before = true, key
	}
	first := slices.DeleteFunc(slices.Clone(h.route.Keys), func(k route.Key) bool { return k.NotAfter == nil })
	if len(first) > maxPrevious {
		h.t.Errorf("%d previous keys", len(first))
	}
	again := *h
	again.compile()
	if !reflect.DeepEqual(h.result, again.result) {
		h.t.Errorf("compiled again, it differs:\n%s", cmp.Diff(h.result, again.result))
	}
}
