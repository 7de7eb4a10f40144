package store

import (
	"encoding/hex"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/test/redistest"
)

func sampleRecord() *record {
	e := sampleEvent("team/hooks", "evt_1")
	e.Body, e.BodyBytes = []byte("{\"a\":1}\x00\xff"), 9
	e.Header["X-Latin"] = []string{"caf\xe9", ""} // legal in HTTP, not UTF-8
	e.Scheme, e.URL, e.Query = "v1", "https://hooks.example.com/team/hooks", "b=2&&a=%31\xff"
	e.Credentials = &Credentials{Header: http.Header{"Authorization": {"Bearer x"}}, Query: "b=2&&token=x&a=%31\xff"}
	return &record{event: e, facts: facts{
		content: [32]byte{1, 2}, targets: []string{"", "invoices"}, window: time.UnixMilli(1769817600123), received: e.ReceivedAt,
	}}
}

func TestRecordRoundTrip(t *testing.T) {
	want := sampleRecord()
	got, err := decodeRecord(want.encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.event, want.event) {
		t.Errorf("event\n got %+v\nwant %+v", got.event, want.event)
	}
	if got.content != want.content || !reflect.DeepEqual(got.targets, want.targets) || !got.window.Equal(want.window) {
		t.Errorf("got %x %q %s, want %x %q %s", got.content, got.targets, got.window, want.content, want.targets, want.window)
	}
}

func TestRecordOfAnEmptyEvent(t *testing.T) {
	r := &record{event: &Event{Meta: event.Meta{ReceivedAt: time.Unix(0, 0).UTC()}, Header: http.Header{}, Body: []byte{}}}
	r.window, r.received = time.UnixMilli(0), r.event.ReceivedAt
	got, err := decodeRecord(r.encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, want %+v", got.event, r.event)
	}
}

// oldRecord is sampleRecord as version 1 wrote it, which knew nothing of queries, URLs,
// schemes and credentials.
const oldRecord = "" +
	"500101020000000000000000000000000000000000000000000000000000000000000000019c1159707b1898b5d9bb324d150a7465616d2f686f6f6b73083666316331643065" +
	"06676974687562056576745f3104707573680630314a395a33093139322e302e322e373730302d34626639326633353737623334646136613363653932396430653065343733" +
	"362d303066303637616130626139303262372d303104504f5354020008696e766f696365730a0641636365707401032a2f2a0f4163636570742d456e636f64696e670104677a" +
	"69700c436f6e74656e742d5479706501106170706c69636174696f6e2f6a736f6e0a557365722d4167656e7401174769744875622d486f6f6b73686f742f3034346161646411" +
	"582d4769746875622d44656c697665727901056576745f310e582d4769746875622d4576656e7401047075736810582d4769746875622d486f6f6b2d49640109323932343330" +
	"31383224582d4769746875622d486f6f6b2d496e7374616c6c6174696f6e2d5461726765742d49640108373939323931373126582d4769746875622d486f6f6b2d496e737461" +
	"6c6c6174696f6e2d5461726765742d54797065010a7265706f7369746f727907582d4c6174696e0204636166e9007b2261223a317d00ff"

func readOldRecord(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(oldRecord)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsOfTheFirstVersionAreRead(t *testing.T) {
	want := sampleRecord()
	want.event.Scheme, want.event.URL, want.event.Query, want.event.Credentials = "", "", "", nil
	got, err := decodeRecord(readOldRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.event, want.event) || got.content != want.content || !reflect.DeepEqual(got.targets, want.targets) {
		t.Errorf("got %+v of %+v\nwant %+v of %+v", got, got.event, want, want.event)
	}
}

// The scripts read the start of records: those of both versions are held and
// counted.
func TestScriptsKnowRecordsOfTheFirstVersion(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	l := owned(t, s, "evt_1")
	value := readOldRecord(t)
	must(t, s.client.Set(t.Context(), eventName(l.ref), value, 0).Err())
	clock.Advance(testLease + time.Second)
	c, err := s.Claim(t.Context(), ClaimOptions{Max: 10, MaxBytes: 1 << 30, Lease: testLease, Blocked: []Target{hooks}})
	if err != nil || c.Held != 1 || len(c.Deliveries) != 0 {
		t.Fatalf("Claim = %+v, %v, want one delivery held", c, err)
	}
	must(t, s.client.Del(t.Context(), usageName[l.ref.partition()]).Err())
	if _, err := s.Recount(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, s, Usage{hooks.Endpoint, 1, 1, 0, int64(len(value))})
}

// Whoever looks events up sees no credentials.
func TestLookupsShowNoCredentials(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	event := sampleRecord().event
	if _, _, err := s.Accept(t.Context(), event, testOptions); err != nil {
		t.Fatal(err)
	}
	name := EventName(event.Endpoint, event.ID)
	infos, err := s.Lookup(t.Context(), []string{name})
	if err != nil || len(infos) != 1 || infos[0].Event.Credentials != nil || infos[0].Event.Query != event.Query {
		t.Errorf("Lookup = %+v, %v", infos, err)
	}
	payload, err := s.Payload(t.Context(), name)
	if err != nil || payload.Credentials != nil || payload.Query != event.Query || payload.URL != event.URL {
		t.Errorf("Payload = %+v, %v", payload, err)
	}
	clock.Advance(testLease + time.Second)
	if got := claim(t, s, 1); !reflect.DeepEqual(got[0].Event.Credentials, event.Credentials) {
		t.Errorf("the credentials of a delivery are %+v", got[0].Event.Credentials)
	}
}

func TestDamagedRecords(t *testing.T) {
	whole := sampleRecord().encode()
	body := len(sampleRecord().event.Body)
	for cut := range len(whole) - body {
		if _, err := decodeRecord(whole[:cut]); !errors.Is(err, errUnreadable) {
			t.Fatalf("a record cut after %d of %d bytes: got %v, want errUnreadable", cut, len(whole), err)
		}
	}
	newer := append([]byte(nil), whole...)
	newer[1] = recordVersion + 1
	if _, err := decodeRecord(newer); !errors.Is(err, errUnreadable) {
		t.Errorf("a record of a newer version: got %v, want errUnreadable", err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(sampleRecord().encode())
	f.Add([]byte{statePending, recordVersion})
	old, _ := hex.DecodeString(oldRecord)
	f.Add(old)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			if !errors.Is(err, errUnreadable) {
				t.Fatalf("got %v, want errUnreadable", err)
			}
			return
		}
		again, err := decodeRecord(r.encode())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("decoded %+v, after another round trip %+v, %v", r, again, err)
		}
	})
}

func TestFailure(t *testing.T) {
	f := Failure{Attempts: 3, Error: "answered 500", First: time.UnixMilli(1769817600001), Since: time.UnixMilli(5)}
	if got := decodeFailure(f.encode()); got != f {
		t.Errorf("got %+v, want %+v", got, f)
	}
	for _, damaged := range []string{"", "{", `{"attempts":-1}`, `{"attempts":"x"}`} {
		if got := decodeFailure(damaged); got != (Failure{}) {
			t.Errorf("decodeFailure(%q) = %+v, want nothing", damaged, got)
		}
	}
	long := decodeFailure(Failure{Error: strings.Repeat("x", maxErrorBytes-1) + "é"}.encode()).Error
	if len(long) != maxErrorBytes-1 || !utf8.ValidString(long) {
		t.Errorf("a long error keeps %d bytes, want the %d before the rune that doesn't fit", len(long), maxErrorBytes-1)
	}
}

func TestRefs(t *testing.T) {
	if eventRef("a", "bc") == eventRef("ab", "c") {
		t.Error(`("a", "bc") and ("ab", "c") have one ref`)
	}
	seen := map[int]bool{}
	for i := range 4096 {
		r := eventRef("team/hooks", strings.Repeat("x", i))
		p := r.partition()
		if p < 0 || p >= partitions {
			t.Fatalf("partition %d of %q", p, r)
		}
		seen[p] = true
		got, target, ok := splitMember(member(r, "a/b"))
		if got != r || target != "a/b" || !ok {
			t.Fatalf("splitMember gave %q, %q, %t", got, target, ok)
		}
	}
	if len(seen) != partitions {
		t.Errorf("4096 events use %d partitions, want all %d", len(seen), partitions)
	}
	for _, foreign := range []string{"", "abc", "/", "ab/", "????/x"} {
		if _, _, ok := splitMember(foreign); ok {
			t.Errorf("%q passes as a delivery", foreign)
		}
	}
}

func TestManyHeaderLinesAreReadAgain(t *testing.T) {
	e := sampleEvent("team/hooks", "1")
	e.Header["X-A"] = slices.Repeat([]string{""}, 9000)
	r := &record{event: e}
	got, err := decodeRecord(r.encode())
	if err != nil || len(got.event.Header["X-A"]) != 9000 {
		t.Fatalf("decoded %v", err)
	}
}

func TestEncodingAllocatesOnce(t *testing.T) {
	e := sampleEvent("team/hooks", "1")
	e.Body = make([]byte, 1<<20)
	for i := range 50 {
		e.Header.Add("X-Long", strings.Repeat("x", 20*i))
	}
	e.Credentials = &Credentials{Query: "token=secret", Header: http.Header{"Authorization": {"secret"}}}
	r := &record{event: e, facts: facts{endpoint: e.Endpoint, targets: []string{"", "second"}}}
	if b := r.encode(); len(b) > r.size() || cap(b) > len(b)+len(b)/50 {
		t.Errorf("%d bytes were encoded, %d were reserved, and then %d", len(b), r.size(), cap(b))
	}
}
