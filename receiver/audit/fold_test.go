package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestFolderWritesTheFirstAtOnceAndRepeatsSeldom(t *testing.T) {
	f := newFolder()
	start := time.Unix(1000, 0)
	at := func(d time.Duration) Record {
		return Record{Time: start.Add(d), Endpoint: "a/b", Status: Rejected}
	}
	if !f.add(at(0), start) {
		t.Fatal("the first outcome of a kind is not new")
	}
	due := f.next(start)
	if due == nil || due.count != 1 {
		t.Fatalf("%+v is due at once, want a series of one outcome", due)
	}
	due.wrote("event-1", 1, start)
	for i := range 1000 {
		if f.add(at(time.Duration(i)*time.Millisecond), start) {
			t.Fatal("a repeat is new")
		}
	}
	if f.next(start.Add(writeInterval-1)) != nil {
		t.Errorf("a series is due before %v are over", writeInterval)
	}
	due = f.next(start.Add(writeInterval))
	if due == nil || due.count != 1001 || due.name != "event-1" {
		t.Fatalf("after %v the series is %+v, want 1001 outcomes", writeInterval, due)
	}
	due.wrote("event-1", 1001, start.Add(writeInterval))
	if f.next(start.Add(time.Minute)) != nil {
		t.Errorf("a series without news is due")
	}
	f.next(start.Add(time.Hour))
	if len(f.bySeries) != 0 {
		t.Errorf("a series that has been idle for an hour is still remembered")
	}
}

func TestFolderTellsKindsApart(t *testing.T) {
	f := newFolder()
	for _, r := range []Record{
		{Endpoint: "a/b", Status: Rejected}, {Endpoint: "a/b", Status: Accepted},
		{Endpoint: "a/c", Status: Rejected}, {Endpoint: "a/b", EndpointUID: "2", Status: Rejected},
	} {
		if !f.add(r, time.Unix(1, 0)) {
			t.Errorf("%+v is not new", r)
		}
	}
}

func TestFolderIsBounded(t *testing.T) {
	f := newFolder()
	for i := range 3 * maxSeries {
		f.add(Record{Endpoint: fmt.Sprint("a/", i), Status: Accepted}, time.Unix(1, 0))
	}
	if len(f.bySeries) != maxSeries {
		t.Errorf("%d series are remembered, want at most %d", len(f.bySeries), maxSeries)
	}
}

// What is lost comes first, whatever else there is to tell, and what is well comes last.
func TestTheMostUrgentSeriesIsNext(t *testing.T) {
	f, start := newFolder(), time.Unix(1000, 0)
	for i, r := range []Record{
		{Endpoint: "a/b", Status: Accepted, SignatureVerified: true},
		{Endpoint: "a/b", Status: Rejected},
		{Endpoint: "a/b", Status: RetryScheduled, Attempt: 1, SignatureVerified: true},
		{Endpoint: "a/b", Status: DeadLettered, Attempt: 3, SignatureVerified: true},
		{Endpoint: "a/c", Status: Expired, SignatureVerified: true},
		{Endpoint: "a/b", Status: Rejected, SignatureVerified: true},
		{Endpoint: "a/b", Status: Handshake},
	} {
		f.add(r, start.Add(time.Duration(i)))
	}
	var order []string
	now := start.Add(time.Second)
	for s := f.next(now); s != nil; s = f.next(now) {
		order = append(order, fmt.Sprint(s.first.Status, " ", s.first.SignatureVerified))
		s.wrote("event", s.count, now)
	}
	want := "[dead_lettered true expired true retry_scheduled true rejected true rejected false accepted true handshake false]"
	if got := fmt.Sprint(order); got != want {
		t.Errorf("the order is\n%s, want\n%s", got, want)
	}
}

// What strangers cause takes the place of nothing that is authentic.
func TestStrangersLeaveRoomForWarnings(t *testing.T) {
	f, now := newFolder(), time.Unix(1, 0)
	for i := range 2 * maxSeries {
		f.add(Record{Endpoint: fmt.Sprint("a/", i), Status: Rejected}, now)
	}
	for i := range 2 * maxSeries {
		f.add(Record{Endpoint: fmt.Sprint("a/", i), Status: RetryScheduled, Attempt: 1, SignatureVerified: true}, now)
	}
	if !f.add(Record{Endpoint: "a/b", Status: DeadLettered, Attempt: 1, SignatureVerified: true}, now) {
		t.Error("there is no room for a dead letter")
	}
	if n := len(f.bySeries); n != maxSeries+reservedSeries+1 {
		t.Errorf("%d series are remembered, want %d", n, maxSeries+reservedSeries+1)
	}
}

func TestReasons(t *testing.T) {
	for status, want := range map[Status]string{
		Accepted: "Accepted", RetryScheduled: "RetryScheduled", DeadLettered: "DeadLettered", Unavailable: "Unavailable",
	} {
		if got := status.reason(); got != want {
			t.Errorf("the reason of %q is %q, want %q", status, got, want)
		}
	}
	for status, want := range map[Status]bool{Rejected: true, Unavailable: true, DeadLettered: true, RetryScheduled: true, Expired: true, Purged: false, Accepted: false, Delivered: false, Duplicate: false} {
		if status.warns() != want {
			t.Errorf("%q warns: %v", status, !want)
		}
	}
}

func TestNoteSaysWhatHappened(t *testing.T) {
	for want, r := range map[string]Record{
		"Event evt_1 (invoice.paid) was accepted, HTTP 200, request r1":                                   {Status: Accepted, EventID: "evt_1", EventType: "invoice.paid", StatusCode: 200, RequestID: "r1"},
		"A request was rejected, HTTP 401, request r1: the signature is wrong":                            {Status: Rejected, StatusCode: 401, RequestID: "r1", ErrorMessage: "the signature is wrong"},
		"Event e was not delivered, a retry is scheduled, target a/b:80, attempt 2, HTTP 500, request r1": {Status: RetryScheduled, EventID: "e", Target: "a/b:80", Attempt: 2, StatusCode: 500, RequestID: "r1"},
	} {
		if got := note(r); got != want {
			t.Errorf("the note is\n%s\nwant\n%s", got, want)
		}
	}
}

func TestNoteIsBoundedAndTame(t *testing.T) {
	hostile := "\x1b[31m\u202e" + strings.Repeat("\u00e9", 2000) + "\xff"
	got := note(Record{Status: Rejected, EventID: hostile, EventType: hostile, RequestID: hostile, ErrorMessage: hostile})
	if len(got) > maxNote {
		t.Errorf("the note has %d bytes, at most %d are allowed", len(got), maxNote)
	}
	if !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("the note is not fit to be shown: %q", got)
	}
}
