package human

import (
	"os/exec"
	"testing"
	"time"
)

func TestSizesHaveUnits(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0B", 1023: "1023B", 1024: "1.0KiB", 1536: "1.5KiB", 25 << 20: "25.0MiB", 3 << 30: "3.0GiB", 5 << 40: "5.0TiB",
	} {
		if got := Size(bytes); got != want {
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
		{time.Time{}, None},
	} {
		if got := Age(now, test.at); got != test.want {
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
		"iso\u2066late\u2069": "iso\ufffdlate\ufffd",
		"\u061c\u200e\u200f":  "\ufffd\ufffd\ufffd",
		"two\nlines":          "two\nlines",
	} {
		if got := Harmless(in); got != want {
			t.Errorf("harmless(%q) is %q, want %q", in, got, want)
		}
	}
	if got := OneLine("  two\n\tlines \r "); got != "two lines \ufffd" {
		t.Errorf("oneLine gives %q", got)
	}
}

func TestShellWordsAreOneWord(t *testing.T) {
	for _, text := range []string{"evt_1", "it's", "", "a b", "$(id)", "`id`", "a\nb", `\`, "*", "ünï", "-x", "a;b"} {
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+ShellWord(text)).Output()
		if err != nil || string(got) != text {
			t.Errorf("the shell reads %s as %q (%v), want %q", ShellWord(text), got, err, text)
		}
	}
	if got := ShellWord("evt_1Mq:x/y"); got != "evt_1Mq:x/y" {
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
		if got := Readable([]byte(in)); got != want {
			t.Errorf("%q reads %q, want %q", in, got, want)
		}
	}
}

func TestWidthsAreCells(t *testing.T) {
	for text, want := range map[string]int{"": 0, "evt_1": 5, "ünï": 3, "u\u0308": 1, "注文": 4, "🎉 ok": 5, "ｆ": 2, "\u200b": 0} {
		if got := Width(text); got != want {
			t.Errorf("%q fills %d cells, want %d", text, got, want)
		}
	}
}
