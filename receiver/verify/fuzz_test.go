package verify

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzVerify: whatever arrives, the verifier neither panics nor accepts what was
// not signed with the key, and what it says is fit for an answer.
func FuzzVerify(f *testing.F) {
	for _, g := range shapes() {
		r := g.request()
		f.Add(r.Header.Get("Authorization"), r.Header.Get(g.signature), r.Header.Get("Webhook-Timestamp"), string(r.Body))
	}
	f.Add("Basic", "t=1,v1=", "-1", "{")
	var verifiers []*Verifier
	for _, g := range shapes() {
		verifiers = append(verifiers, compiledProvider(f, g.provider))
	}
	f.Fuzz(func(t *testing.T, authorization, signature, timestamp, body string) {
		for _, v := range verifiers {
			r := post(body, "X-Hub-Signature-256", signature, "Stripe-Signature", signature, "Webhook-Signature", signature,
				"Authorization", authorization, "Webhook-Id", "1", "Webhook-Timestamp", timestamp)
			_, err := v.Verify(r, keysOf("a key that the corpus doesn't know:"), now)
			if err == nil {
				t.Fatalf("accepted: %q %q %q %q", authorization, signature, timestamp, body)
			}
			if rejection := rejectionOf(t, err); rejection.Reason == "" || rejection.Detail == "" || strings.ContainsAny(rejection.Detail, "\r\n") {
				t.Fatalf("%#v is not fit for an answer", err)
			}
			if id, err := v.Identify(r, Verdict{id: timestamp}); err == nil && (id.ID == "" || len(id.ID) > maxIdentity || !utf8.ValidString(id.ID)) {
				t.Fatalf("the event id is %q", id.ID)
			}
		}
	})
}

// FuzzTemplate: a template that is taken can be written, and its literals are
// what stood in the text.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"{body}", "v0:{timestamp}:{body}", "{{{id}}}", "{header:X-Id}{json:/a~1b}", "{", "}", "{json:}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := parseTemplate(text, forContent)
		if err != nil {
			return
		}
		s := &scope{request: post("a=1", "Content-Type", formType), timestamp: "1", id: "1", url: "https://example.com"}
		m, rejection := template.message(nil, s)
		if rejection == nil && !strings.Contains(text, "{") && string(slices.Concat(m.Head, m.Body, m.Tail)) != strings.ReplaceAll(text, "}}", "}") {
			t.Fatalf("%q is written as %q", text, slices.Concat(m.Head, m.Body, m.Tail))
		}
	})
}

// FuzzGrammar: no grammar panics, exceeds the bound of candidates, or makes up
// text that is not in the value.
func FuzzGrammar(f *testing.F) {
	grammars := []Signature{
		{Prefix: "sha256="}, {Prefix: "sha256=", PrefixOptional: true},
		{List: &List{Separator: " ", Prefix: "v1,"}},
		{KeyValue: &KeyValue{Separator: ",", Equals: "=", SignatureKey: "v1", TimestampKey: "t", TrimSpace: true}},
		{Pairs: &Pairs{Separator: "&", Equals: "|"}},
	}
	for _, value := range []string{"sha256=00", "v1,a v1,b", "t=1,v1=a,v0=b", "t=1, v1=a", "a|b&c|d", ",,", "", "=", "|&"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, grammar := range grammars {
			var got found
			_ = grammar.parse(value, &got)
			if len(got.candidates) > maxCandidates {
				t.Fatalf("%d candidates", len(got.candidates))
			}
			for _, c := range got.candidates {
				if !strings.Contains(value, c.text) || !strings.Contains(value, c.keyID) || !strings.Contains(value, got.timestamp) {
					t.Fatalf("%q became %q", value, c)
				}
			}
		}
	})
}
