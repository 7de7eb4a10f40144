package verify

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// FuzzDecoders: whatever a verified request holds, its id and type are fit for
// headers, logs and keys, and what is read of JSON is what encoding/json reads.
func FuzzDecoders(f *testing.F) {
	for _, body := range []string{
		`[{"id":"a","t":"x"},{"id":"b","t":"y"}]`, `payload=%7B%22id%22%3A1%7D`, `p=PGE%2BPGI%2BMTwvYj48L2E%2B`, `{"Message":"{\"id\":1}"}`,
		`[[1],[2,3],[]]`, `[{"id":null}]`, ` [ ] `, `{"a":[{"id":1},{}]}`, `"`, ``,
	} {
		f.Add(body)
	}
	v := compiledProvider(f, withIdentity(
		[]string{
			"{json:/*/id}", "{json:/a/*/id}", "{json:/*/*}", "{json:/Message|json:/id}", "{form:payload|json:/id}", "{form:p|base64|xml:/a/b}",
			"{json:/*|base64|json:/*|base64}", "{body_sha256}",
		},
		[]string{"{json:/*/t}", "{json:/a/*/t}", "{json:/*/*}", "{form:p|base64|json:/*/t}"},
	))
	f.Fuzz(func(t *testing.T, body string) {
		for _, r := range []*Request{post(body), post(body, "Content-Type", formType)} {
			got, err := v.Identify(r, Verdict{})
			if err != nil && rejectionOf(t, err).Detail == "" {
				t.Fatal(err)
			}
			if err == nil && (got.ID == "" || !printable(got.ID) || !printable(got.Type)) {
				t.Fatalf("%+v", got)
			}
		}
		compareElements(t, []byte(body))
	})
}

// compareElements reads "/*" as encoding/json does.
func compareElements(t *testing.T, body []byte) {
	t.Helper()
	var elements []json.RawMessage
	if !document.Valid(body) || !utf8.Valid(body) || json.Unmarshal(body, &elements) != nil || elements == nil {
		return
	}
	var want []string
	whole := true
	for _, element := range elements {
		text, _ := document.Scalar(document.SkipSpace(element))
		if text == "" {
			whole = false
			continue
		}
		want = append(want, text)
	}
	got, all := document.Pointer{document.AnyElement}.Texts(body, maxValues)
	if len(elements) > maxValues {
		return
	}
	if all != whole || strings.Join(got, "\x00") != strings.Join(want, "\x00") {
		t.Fatalf("of %s: %q, %v; want %q, %v", body, got, all, want, whole)
	}
}

// FuzzHandshake: whatever comes, an answer has no line of its own in the header,
// a body that is what it says, and no HMAC of what could be an event; and what is
// refused is fit for an answer.
func FuzzHandshake(f *testing.F) {
	for _, seed := range []string{"abc", "1158201444", "a\r\nSet-Cookie: b", `{"a":1}`, "[]", "\xff", "<script>", "https://sns.a.amazonaws.com/"} {
		f.Add("crc_token=a&hub.challenge=1&hub.mode=subscribe&hub.verify_token=t&challenge=c", seed, `{"challenge":"x","type":"url_verification"}`)
	}
	providers := []Provider{slackLike, metaLike, xLike, zoomLike, dropboxLike, oktaLike, cloudEventsLike, eventGridLike, graphLike, braintreeLike, mondayLike, snsConfirm}
	verifiers := make([]*Verifier, len(providers))
	for i, p := range providers {
		verifiers[i] = compiledProvider(f, p)
	}
	m := keysOf("id:" + testSecret)
	m.Parameters = parametersOf("verify_token", "t", "allowed_origins", "a", "topics", "arn:1")
	f.Fuzz(func(t *testing.T, query, header, body string) {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			for _, v := range verifiers {
				r := post(body, "x-okta-verification-challenge", header, "WebHook-Request-Origin", "a", "WebHook-Request-Rate", header,
					"aeg-event-type", "SubscriptionValidation")
				r.Method, r.RawQuery = method, query
				for _, verdict := range []*Verdict{nil, {}} {
					answer, err := v.Handshake(r, m, verdict)
					checkAnswer(t, answer, err)
				}
			}
		}
	})
}

func checkAnswer(t *testing.T, answer *Answer, err error) {
	t.Helper()
	if err != nil {
		if detail := rejectionOf(t, err).Detail; detail == "" || strings.ContainsAny(detail, "\r\n") || answer != nil {
			t.Fatalf("%q is not fit for an answer", detail)
		}
		return
	}
	if answer == nil {
		return
	}
	for name, values := range answer.Header {
		if len(values) != 1 || strings.ContainsFunc(values[0], unicode.IsControl) {
			t.Fatalf("the header %s is %q", name, values)
		}
	}
	if answer.Header.Get("Content-Type") == "application/json" && !json.Valid(answer.Body) {
		t.Fatalf("the body is %q", answer.Body)
	}
	if answer.Header.Get("Content-Type") == "" && len(answer.Body) > 0 {
		t.Fatalf("the body %q has no type", answer.Body)
	}
	if answer.Confirm != "" && !strings.HasPrefix(answer.Confirm, "https://sns.") {
		t.Fatalf("%q is to be confirmed", answer.Confirm)
	}
}
