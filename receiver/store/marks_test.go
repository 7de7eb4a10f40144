package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/redistest"
)

// addMarks remembers n events of a hash, as the scripts do.
var addMarks = func() *redis.Script {
	return redis.NewScript(string(readSource("prelude")) + `
for i = 1, #ARGV - 2 do
  remember(KEYS[1], ARGV[i], ARGV[#ARGV - 1], ARGV[#ARGV])
end`)
}()

// A remembered event takes few bytes of Redis.
func TestARememberedEventTakesLittleMemory(t *testing.T) {
	const n = 100_000
	server := redistest.Start(t)
	s := openStore(t, server, nil)
	used := func() int64 {
		bytes, err := strconv.ParseInt(server.Info("memory", "used_memory"), 10, 64)
		must(t, err)
		return bytes
	}
	value, seconds := s.markValue(&facts{}, time.Hour)
	hashes := map[string][]any{}
	for i := range n {
		r := eventRef("team/hooks", strconv.Itoa(i))
		hashes[marksName(r)] = append(hashes[marksName(r)], s.markOf(r))
	}
	must(t, addMarks.Load(t.Context(), s.client).Err())
	before := used()
	_, err := s.client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for name, marks := range hashes {
			pipe.EvalSha(t.Context(), addMarks.Hash(), []string{name}, append(marks, value, seconds)...)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	each := float64(used()-before) / n
	t.Logf("%.1f bytes for each of %d events", each, n)
	if each > 80 {
		t.Errorf("%.1f bytes of Redis for each remembered event, want at most 80", each)
	}
	if got, _, err := s.Accept(t.Context(), sampleEvent("team/hooks", "4711"), testOptions); err != nil || got != Duplicate {
		t.Errorf("one of them is %s, %v", got, err)
	}
}

// Marks that have ended make room, while others are added.
func TestMarksThatHaveEndedGo(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	const name = "sallyport:{0}:marks:00"
	add := func(from int) {
		t.Helper()
		value, seconds := s.markValue(&facts{}, time.Hour)
		var args []any
		for i := range 2000 {
			r := eventRef("team/hooks", strconv.Itoa(from+i))
			args = append(args, s.markOf(r))
		}
		if err := addMarks.Run(t.Context(), s.client, []string{name}, append(args, value, seconds)...).Err(); err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
	}
	add(0)
	clock.Advance(2 * time.Hour)
	add(2000)
	add(4000)
	ended := 0
	for _, value := range s.client.HGetAll(t.Context(), name).Val() {
		if int64(binary.BigEndian.Uint32([]byte(value))) <= clock.Now().Unix() {
			ended++
		}
	}
	if n := s.client.HLen(t.Context(), name).Val(); n-int64(ended) != 4000 {
		t.Errorf("%d marks are left that have not ended, want 4000", n-int64(ended))
	}
	if ended > 400 {
		t.Errorf("%d of 2000 marks that have ended are left", ended)
	}
}

// What an earlier version remembered stays known.
func TestMarkersOfEarlierVersionsAreKnown(t *testing.T) {
	s := openStore(t, redistest.Start(t), newFakeClock())
	o := withContent('x')
	marker := append([]byte{stateDelivered, recordVersion}, o.Content[:]...)
	id := eventRef("team/hooks", "1")
	must(t, s.client.Set(t.Context(), eventName(id), marker, time.Hour).Err())
	mark := contentMark{content: contentRef("team/hooks", o.Content), owner: id, at: s.Now()}
	must(t, s.client.Set(t.Context(), contentName(mark.content), mark.value(), time.Hour).Err())
	accept(t, s, "1", testOptions, Duplicate)
	begin(t, s, "1", beginOptions, DeliveredBefore)
	accept(t, s, "2", o, ContentReplayed)
	if got, err := s.Lookup(t.Context(), []string{id.name()}); err != nil || len(got) != 1 || !got[0].Delivered {
		t.Errorf("Lookup = %+v, %v", got, err)
	}
}

// The window holds for replayed content, too, and not longer.
func TestContentOfADeliveredEventIsRemembered(t *testing.T) {
	clock := newFakeClock()
	s := openStore(t, redistest.Start(t), clock)
	o := withContent('x')
	must(t, s.Delivered(t.Context(), accept(t, s, "1", o, Accepted)[0]))
	accept(t, s, "2", o, ContentReplayed)
	accept(t, s, "1", o, Duplicate)
	other := withContent('y')
	accept(t, s, "1", other, Duplicate)
	accept(t, s, "3", other, Accepted) // 1 is stored with other content
	clock.Advance(testWindow + time.Second)
	accept(t, s, "2", o, Accepted)
}

// Events that differ have marks that differ: those of one hash are told apart.
func TestMarksAreToldApart(t *testing.T) {
	seen := map[string]bool{}
	s := &Store{clock: &clock{local: time.Now}}
	for i := range 100_000 {
		r := eventRef("team/hooks", fmt.Sprint(i))
		name := marksName(r) + string(s.markOf(r)[:markField])
		if seen[name] {
			t.Fatal("two events have one mark")
		}
		seen[name] = true
	}
}
