package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJournalAwaitsPastAndFutureEntries(t *testing.T) {
	j := NewJournal[int]()
	j.Add(1)
	j.Add(2)
	go j.Add(4)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := j.AwaitN(ctx, 2, func(n int) bool { return n%2 == 0 })
	if err != nil || got[0] != 2 || got[1] != 4 {
		t.Errorf("AwaitN gives %v, %v, want 2 and 4", got, err)
	}
}

func TestJournalSaysWhatCameInstead(t *testing.T) {
	j := NewJournal[string]()
	j.Add("something else")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := j.Await(ctx, func(s string) bool { return s == "this" })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "something else") {
		t.Errorf("Await says %v, want the end of the context and the entry that came", err)
	}
}

func TestLinesHandsOnWholeLines(t *testing.T) {
	var got []string
	l := &lines{each: func(line []byte) { got = append(got, string(line)) }}
	for _, chunk := range []string{"a", "b\nc\n\nd", "\n", "rest"} {
		if _, err := l.Write([]byte(chunk)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "ab|c||d"; strings.Join(got, "|") != want {
		t.Errorf("the lines are %q, want %q", strings.Join(got, "|"), want)
	}
}
