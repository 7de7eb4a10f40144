package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSizesHaveUnits(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0B", 1023: "1023B", 1024: "1.0KiB", 1536: "1.5KiB", 25 << 20: "25.0MiB", 3 << 30: "3.0GiB", 5 << 40: "5.0TiB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("%d bytes are %s, want %s", bytes, got, want)
		}
	}
}

func TestAgesAreThoseOfKubectl(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(-90 * time.Second), "90s"},
		{now.Add(-3 * time.Hour), "3h"},
		{now.Add(time.Second), "0s"}, // clocks differ
		{time.Time{}, none},
	} {
		if got := age(now, test.at); got != test.want {
			t.Errorf("the age of %s is %s, want %s", test.at, got, test.want)
		}
	}
}

func TestTextsOfOthersAreHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode":       "plain ünïcode",
		"\x1b[31mred\x1b]0;x": "\ufffd[31mred\ufffd]0;x",
		"c1 \u009b31m":        "c1 \ufffd31m",
		"back\bspace":         "back\ufffdspace",
		"not \xff UTF-8":      "not \ufffd UTF-8",
		"turned \u202e round": "turned \ufffd round",
		"two\nlines":          "two\nlines",
	} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) is %q, want %q", in, got, want)
		}
	}
	if got := oneLine("  two\n\tlines \r "); got != "two lines \ufffd" {
		t.Errorf("oneLine gives %q", got)
	}
}

func TestShellWordsAreOneWord(t *testing.T) {
	for _, text := range []string{"evt_1", "it's", "", "a b", "$(id)", "`id`", "a\nb", `\`, "*", "ünï", "-x", "a;b"} {
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+shellWord(text)).Output()
		if err != nil || string(got) != text {
			t.Errorf("the shell reads %s as %q (%v), want %q", shellWord(text), got, err, text)
		}
	}
	if got := shellWord("evt_1Mq:x/y"); got != "evt_1Mq:x/y" {
		t.Errorf("%s is quoted without need", got)
	}
}

func TestBodiesAreReadable(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "(empty)",
		`{"a":[1,2],"b":"<&>"}`: "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": \"<&>\"\n}",
		"plain text":            "plain text",
		"\xff\xfe":              "(2 bytes that are no text: --body prints them as they are)",
		"{\"a\":\"\u009b\"}":    "{\n  \"a\": \"\ufffd\"\n}",
	} {
		if got := readable([]byte(in)); got != want {
			t.Errorf("%q reads %q, want %q", in, got, want)
		}
	}
}

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
