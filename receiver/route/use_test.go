package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// rotated is a route whose previous key is valid until end; behind it is one
// that was valid until an hour before.
func rotated(end time.Time) Route {
	r := testRoute("stripe")
	earlier := end.Add(-time.Hour)
	r.Keys = append(r.Keys,
		Key{Name: KeyName(1), Value: secret.New([]byte("another current one"))},
		Key{Name: KeyName(2), NotAfter: &end, Value: secret.New([]byte("previous"))},
		Key{Name: KeyName(3), NotAfter: &earlier, Value: secret.New([]byte("long gone"))})
	return r
}

func TestMaterialLeavesOutKeysThatHaveEnded(t *testing.T) {
	end := time.Unix(1700003580, 0)
	entry := liveOf(t, rotated(end)).Table().Endpoint("billing/stripe")
	for want, now := range map[int]time.Time{4: end.Add(-time.Hour - 1), 3: end.Add(-1), 2: end} {
		if got := entry.Material(now).Secrets; len(got) != want || !got[0].Equal([]byte("hunter2")) {
			t.Errorf("there are %d keys at %v, want %d, the newest first", len(got), now, want)
		}
	}
}

func TestMaterialIsMadeOnce(t *testing.T) {
	r := testRoute("stripe")
	r.Fetched = map[string]string{"https://example.com/jwks": "{}"}
	r.Parameters = []Parameter{
		{Name: "topic", Entry: "param-0", Value: secret.New([]byte("orders"))},
		{Name: "token", Entry: "param-1", Value: secret.New([]byte("t"))},
		{Name: "topic", Entry: "param-2", Value: secret.New([]byte("returns"))},
	}
	entry := liveOf(t, r).Table().Endpoint("billing/stripe")
	got := entry.Material(time.Now())
	if len(got.Secrets) != 1 || !got.Secrets[0].Equal([]byte("hunter2")) || string(got.Fetched["https://example.com/jwks"]) != "{}" {
		t.Errorf("the secrets are %d, what was fetched is %q", len(got.Secrets), got.Fetched)
	}
	if topics := got.Parameters["topic"]; len(topics) != 2 || !topics[1].Equal([]byte("returns")) || len(got.Parameters["token"]) != 1 {
		t.Errorf("the parameters are %v", got.Parameters)
	}
	if n := testing.AllocsPerRun(100, func() { entry.Material(time.Time{}) }); n != 0 {
		t.Errorf("it costs %v allocations for each request", n)
	}
	if n := testing.AllocsPerRun(100, func() { entry.Used(verify.Verdict{}, time.Time{}) }); n != 0 {
		t.Errorf("noting the key costs %v allocations", n)
	}
}

func TestUseOfKeysIsToldWhileASecretIsChanged(t *testing.T) {
	end := time.Unix(1700003580, 0)
	noon := end.Add(-30 * time.Minute) // the fourth key has ended
	const current, other, previous, fetched = 0, 1, 2, -1
	for name, test := range map[string]struct {
		used []int
		want map[string]KeyUse
	}{
		"nothing":            {nil, nil},
		"the current key":    {[]int{current}, map[string]KeyUse{"billing/stripe": {PreviousEnds: end.Unix(), CurrentFirst: noon.Unix()}}},
		"the previous key":   {[]int{previous}, map[string]KeyUse{"billing/stripe": {PreviousEnds: end.Unix(), PreviousLast: noon.Unix()}}},
		"another valid one":  {[]int{other}, nil},
		"one of the sender":  {[]int{fetched}, nil},
		"one that has ended": {[]int{3}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			table := liveOf(t, rotated(end)).Table()
			for _, key := range test.used {
				table.Endpoint("billing/stripe").Used(verify.Verdict{Scheme: "v1", Key: key}, noon)
			}
			if diff := cmp.Diff(test.want, table.KeyUse(noon)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirstUseStaysAndLastUseMovesByMinutes(t *testing.T) {
	end := time.Unix(1700003580, 0)
	table := liveOf(t, rotated(end), testRoute("paypal")).Table()
	entry := table.Endpoint("billing/stripe")
	start := end.Add(-30 * time.Minute).Truncate(time.Minute)
	for _, at := range []time.Duration{2 * time.Second, time.Minute + 59*time.Second, 61 * time.Second, 0} {
		entry.Used(verify.Verdict{Key: 0}, start.Add(at))
		entry.Used(verify.Verdict{Key: 2}, start.Add(at))
	}
	want := map[string]KeyUse{"billing/stripe": {
		PreviousEnds: end.Unix(), CurrentFirst: start.Add(2 * time.Second).Unix(), PreviousLast: start.Add(time.Minute).Unix(),
	}}
	if diff := cmp.Diff(want, table.KeyUse(start)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := table.KeyUse(end); got != nil {
		t.Errorf("after the end there still is %v", got)
	}
}

func TestUseOfKeysOutlivesChangesOfTheRouteButNotTheRotation(t *testing.T) {
	end := time.Unix(1700003580, 0)
	noon := end.Add(-30 * time.Minute)
	r := rotated(end)
	live := liveOf(t, r)
	live.Table().Endpoint("billing/stripe").Used(verify.Verdict{Key: 0}, noon)
	apply := func(r Route) map[string]KeyUse {
		object := testObject(t, r)
		live.Apply(map[string]*Object{object.Name: &object})
		return live.Table().KeyUse(noon)
	}
	r.Endpoint.Generation++
	if got := apply(r); got["billing/stripe"].CurrentFirst != noon.Unix() {
		t.Errorf("a change of something else has left %v", got)
	}
	if got := apply(rotated(end.Add(time.Hour))); got != nil {
		t.Errorf("a new rotation starts with %v", got)
	}
	if got := apply(testRoute("stripe")); got != nil {
		t.Errorf("without a rotation there is %v", got)
	}
}

func TestKeyUseIsReadAsWritten(t *testing.T) {
	want := map[string]KeyUse{"billing/stripe": {PreviousEnds: 3, CurrentFirst: 2}, "billing/paypal": {PreviousEnds: 3, PreviousLast: 1}}
	text, err := EncodeKeyUse(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeKeyUse(text)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := DecodeKeyUse(""); got != nil || err != nil {
		t.Errorf("no annotation is read as %v, %v", got, err)
	}
	if _, err := DecodeKeyUse("nonsense"); err == nil {
		t.Error("nonsense is read")
	}
	many := map[string]KeyUse{}
	for _, name := range testObjects(t, maxKeyUse+1) {
		many[name.Name] = KeyUse{PreviousEnds: 1}
	}
	if text, err = EncodeKeyUse(many); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeKeyUse(text); err != nil || len(got) != maxKeyUse {
		t.Errorf("%d endpoints are told of (%v), want at most %d", len(got), err, maxKeyUse)
	}
}
