package main

import (
	"strings"
	"testing"
	"time"
)

func TestMomentsAreAgesOrTimes(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2h":                        now.Add(-2 * time.Hour),
		"90m30s":                    now.Add(-90*time.Minute - 30*time.Second),
		"3d":                        now.AddDate(0, 0, -3),
		"2026-11-24T10:00:00Z":      time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		"2026-11-24T10:00:00+01:00": time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC),
	} {
		got, err := parseMoment("--since", text, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s is %s (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-2h", "2026-11-24", "d", "-1d", "99999999d"} {
		_, err := parseMoment("--since", text, now)
		if err == nil || !strings.Contains(err.Error(), "--since="+text) {
			t.Errorf("%q is a time (%v)", text, err)
		}
	}
}
