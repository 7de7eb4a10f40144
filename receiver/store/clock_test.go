package store

import (
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// A server whose clock is far away is believed if it always was, and moves nothing if
// it was not. What can't be taken back is judged by the earlier clock.
func TestClocksThatDiffer(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for name, c := range map[string]struct {
		offset  time.Duration
		known   bool
		read    time.Duration
		next    time.Duration
		certain time.Duration
	}{
		"first reading":              {0, false, time.Second, time.Second, time.Second},
		"first reading, behind":      {0, false, -time.Minute, -time.Minute, -time.Minute},
		"drift":                      {time.Second, true, 2 * time.Second, 2 * time.Second, 2 * time.Second},
		"jump to within the limit":   {4 * time.Minute, true, -4 * time.Minute, -4 * time.Minute, -4 * time.Minute},
		"jump ahead":                 {time.Second, true, month, time.Second, 0},
		"jump behind":                {time.Second, true, -month, time.Second, -month},
		"far ahead from the start":   {0, false, month, month, 0},
		"far behind from the start":  {0, false, -month, -month, -month},
		"still far ahead":            {month, true, month + time.Second, month + time.Second, 0},
		"mended":                     {month, true, time.Second, time.Second, time.Second},
		"another jump while far off": {month, true, 2 * month, month, 0},
	} {
		next := nextOffset(c.offset, c.known, c.read)
		if certain := certainOffset(next, c.read); next != c.next || certain != c.certain {
			t.Errorf("%s: the offset is %s and certain is %s, want %s and %s", name, next, certain, c.next, c.certain)
		}
	}
}

func TestAWrongReadingTakesNoLease(t *testing.T) {
	fake := newFakeClock()
	s := openStore(t, redistest.Start(t), fake)
	owned(t, s, "1")
	s.clock.note(time.Second)
	s.clock.note(30 * 24 * time.Hour)
	claim(t, s, 0)
	if got := s.Skew(); got != 30*24*time.Hour {
		t.Errorf("the skew is %s", got)
	}
	if ahead := s.Now().Sub(fake.Now()); ahead != time.Second {
		t.Errorf("now moved by %s", ahead)
	}
	fake.Advance(testLease + time.Second)
	claim(t, s, 1) // by both clocks it is over
}
