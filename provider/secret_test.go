package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

func revealed(values []secret.Value) (texts []string) {
	for _, value := range values {
		texts = append(texts, string(value.Reveal()))
	}
	return texts
}

func TestListed(t *testing.T) {
	for value, want := range map[string][]string{
		"s":                                 {"s"},
		`["a"]`:                             {"a"},
		`["a","b"]`:                         {"a", "b"},
		" [ \"a\" ,\n  \"b\" ]\n":           {"a", "b"},
		`["a\n"," b "]`:                     {"a\n", " b "}, // inside of the list nothing is trimmed
		`["\u00e9"]`:                        {"é"},
		`["1","2","3","4","5","6","7","8"]`: {"1", "2", "3", "4", "5", "6", "7", "8"},
		// What is no list of texts is one secret.
		`{"keys":[]}`: {`{"keys":[]}`},
		`"a"`:         {`"a"`},
		`null`:        {"null"},
		`[1,2]`:       {"[1,2]"},
		`["a",1]`:     {`["a",1]`},
		`["a"`:        {`["a"`},
		`["a"] b`:     {`["a"] b`},
		"[\"\xff\"]":  {"[\"\xff\"]"},
	} {
		got, err := listed([]byte(value))
		if diff := cmp.Diff(want, revealed(got)); diff != "" || err != nil {
			t.Errorf("%s holds (-want +got, error %v):\n%s", value, err, diff)
		}
	}
}

func TestListsThatAreNone(t *testing.T) {
	for value, want := range map[string]string{
		`[]`:                   "a list of 0 secrets",
		`["s3cret",""]`:        "number 2 of the list is empty",
		`[" \t","s3cret"]`:     "number 1 of the list is empty",
		`["s3cret",null]`:      "number 2 of the list is empty",
		`["s3cret","s3cret"]`:  "number 2 of the list is there twice",
		listOf(maxSecrets + 1): "a list of 9 secrets",
	} {
		got, err := listed([]byte(value))
		if err == nil || !strings.Contains(err.Error(), want) || got != nil {
			t.Errorf("%s: %v, want %q", value, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func listOf(n int) string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprint(i)
	}
	text, _ := json.Marshal(texts)
	return string(text)
}

// TestTextsThatNobodyMeans: what came along when a secret was copied is told, and is not
// found out by events that are refused.
func TestTextsThatNobodyMeans(t *testing.T) {
	text, encoded := &Sender{Provider: verify.Provider{Schemes: []verify.Scheme{{Algorithm: verify.HMACSHA256}}}},
		&Sender{Provider: verify.Provider{Schemes: []verify.Scheme{{Algorithm: verify.HMACSHA256, Key: []string{"base64"}}}}}
	for value, want := range map[string]error{
		"s3cret": nil, "s3 cret": nil, "\ufeffs3cret": errUnseen, "s3cret\u200b": errUnseen, "\ufeff[\"s3cret\"]": errUnseen,
		" s3cret": errWrapped, "s3cret\nolder": errLines, "s3cret\r\ns3cret": errLines, "[\"\ufeffs3cret\"]": nil, "[\"s3cret\\nolder\"]": nil,
	} {
		if _, err := text.CheckSecrets([]byte(value)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", value, err, want)
		}
		if _, err := encoded.CheckSecrets([]byte(value)); errors.Is(err, errUnseen) || errors.Is(err, errWrapped) || errors.Is(err, errLines) {
			t.Errorf("%q, encoded: %v", value, err)
		}
	}
}

func TestTrimNewline(t *testing.T) {
	for value, want := range map[string]string{
		"":          "",
		"s":         "s",
		"s\n":       "s",
		"s\r\n":     "s",
		"s\n\n":     "s\n",
		"s\r":       "s\r", // not what an editor leaves: it may well be meant
		"\ns":       "\ns",
		"a\nb\n":    "a\nb",
		" s \n":     " s ",
		"\n":        "",
		"s\r\r\n":   "s\r",
		"s\r\n\r\n": "s\r\n",
	} {
		got, trimmed := TrimNewline([]byte(value))
		if string(got) != want || trimmed != (want != value) {
			t.Errorf("of %q is left %q (trimmed: %t), want %q", value, got, trimmed, want)
		}
	}
}
