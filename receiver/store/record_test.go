package store

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func sampleRecord() *record {
	e := sampleEvent("team/hooks", "evt_1")
	e.Body = []byte("{\"a\":1}\x00\xff")
	e.Header["X-Latin"] = []string{"caf\xe9", ""} // legal in HTTP, not UTF-8
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
	r := &record{event: &Event{ReceivedAt: time.Unix(0, 0).UTC(), Header: http.Header{}, Body: []byte{}}}
	r.window, r.received = time.UnixMilli(0), r.event.ReceivedAt
	got, err := decodeRecord(r.encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, want %+v", got.event, r.event)
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
