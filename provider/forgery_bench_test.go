package provider

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// forgedBytes is the size of a forged body: what a provider takes that says nothing.
const forgedBytes = 1 << 20

// spellings are what a forged body is filled with, by the kind of body.
var (
	jsonSpellings = map[string]string{
		"short keys":   `"a":1,`,
		"escaped keys": `"\n":1,`,
		"unicode keys": `"\u0061":1,`,
		"names":        `"\u0074\u0079pe":1,`,
		"objects":      `"b":{},`,
		"mixed":        `"a":1,"bcd":"\n","efghi":[1,2,{"x":"y"}],"j":{"k":12.5e3},"lmnopqrs":true,"t":"u v w",`,
		"long texts":   `"text":"` + strings.Repeat("Lorem ipsum dolor sit amet. ", 40) + `\n",`,
	}
	formSpellings = map[string]string{
		"short fields":   "a=1&",
		"escaped fields": "%61=%31&",
		"many fields":    "",
		"long fields":    "text=" + strings.Repeat("Lorem+ipsum%21", 80) + "&",
	}
	otherSpellings = map[string]string{"bytes": "x"}
)

// forgeries are the forgeries of a preset: a genuine request of each of its
// examples, whose body is filled up and whose signature is wrong.
func forgeries(tb testing.TB, sender *Sender, test *v1alpha1.ProviderTest) map[string]*verify.Request {
	tb.Helper()
	genuine, err := exampleRequest(&test.Request)
	if err != nil {
		tb.Fatal(err)
	}
	spoil(genuine, sender.Provider.Schemes)
	fill, spellings := fillOther, otherSpellings
	switch {
	case strings.HasPrefix(genuine.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		fill, spellings = fillForm, formSpellings
	case json.Valid(genuine.Body) && bytes.IndexByte(genuine.Body, '{') >= 0:
		fill, spellings = fillJSON, jsonSpellings
	}
	list := map[string]*verify.Request{}
	for name, spelling := range spellings {
		forged := *genuine
		forged.Body = fill(genuine.Body, spelling)
		list[name] = &forged
	}
	return list
}

func fillJSON(body []byte, spelling string) []byte {
	at := bytes.IndexByte(body, '{') + 1
	filling := strings.Repeat(spelling, (forgedBytes-len(body))/len(spelling))
	if rest := bytes.TrimSpace(body[at:]); rest[0] == '}' {
		filling = strings.TrimSuffix(filling, ",")
	}
	return slices.Concat(body[:at], []byte(filling), body[at:])
}

func fillForm(body []byte, spelling string) []byte {
	if spelling != "" {
		return append([]byte(strings.Repeat(spelling, (forgedBytes-len(body))/len(spelling))), body...)
	}
	var form bytes.Buffer
	for i := range 9000 { // of those that are read
		fmt.Fprintf(&form, "%d%s=%[1]d&", i*7919%9000, strings.Repeat("n", 100))
	}
	return append(form.Bytes(), body...)
}

func fillOther(body []byte, spelling string) []byte {
	return append(bytes.Clone(body), strings.Repeat(spelling, forgedBytes-len(body))...)
}

// spoil changes the signatures of schemes whose keys are published. Those of the
// others are spoiled by another secret.
func spoil(r *verify.Request, schemes []verify.Scheme) {
	for i := range schemes {
		if schemes[i].KeySource == nil {
			continue
		}
		for _, from := range schemes[i].Signature.From {
			name := http.CanonicalHeaderKey(from.Header)
			for i, value := range r.Header[name] {
				r.Header[name][i] = string(changed([]byte(value), len(value)-6))
			}
			if _, member, ok := strings.Cut(from.JSON, "/"); ok {
				name := []byte(`"` + member + `"`)
				if at := bytes.Index(r.Body, name); at >= 0 {
					r.Body = changed(r.Body, at+len(name)+20)
				}
			}
		}
	}
}

// changed is text with another letter in one place.
func changed(text []byte, at int) []byte {
	text = bytes.Clone(text)
	if at >= 0 && at < len(text) {
		text[at] = map[bool]byte{true: 'B', false: 'A'}[text[at] == 'A']
	}
	return text
}

// forgeryCost is what one forgery costs, as a multiple of the HMAC.
type forgeryCost struct {
	name   string
	ratio  float64
	reason verify.Reason
}

// BenchmarkForgery measures what a forged request costs, for every preset, as a
// multiple of one HMAC-SHA256 over the same bytes: the least time of each, as
// others use the machine, too.
func BenchmarkForgery(b *testing.B) {
	presets, err := Presets()
	if err != nil {
		b.Fatal(err)
	}
	var costs []forgeryCost
	for _, object := range presets {
		sender := Compile(object)
		if sender.Problem != "" {
			b.Errorf("%s: %s", object.Name, sender.Problem)
			continue
		}
		seen := map[string]bool{} // one example of each scheme
		for i := range object.Spec.Tests {
			test := &object.Spec.Tests[i]
			if test.Expect.Scheme == "" || seen[test.Expect.Scheme] {
				continue
			}
			seen[test.Expect.Scheme] = true
			for name, forged := range forgeries(b, sender, test) {
				b.Run(fmt.Sprintf("%s/%s/%s", object.Name, test.Name, name), func(b *testing.B) {
					if cost, ok := measureForgery(b, sender.Verifier, &sender.Provider, test, forged); ok {
						cost.name = fmt.Sprintf("%s: %s, %s", object.Name, test.Name, name)
						costs = append(costs, cost)
					}
				})
			}
		}
	}
	slices.SortFunc(costs, func(x, y forgeryCost) int { return cmp.Compare(y.ratio, x.ratio) })
	for _, cost := range costs[:min(len(costs), 15)] {
		b.Logf("%5.2f  %-24s %s", cost.ratio, cost.reason, cost.name)
	}
}

func measureForgery(b *testing.B, verifier *verify.Verifier, provider *verify.Provider, test *v1alpha1.ProviderTest, forged *verify.Request) (cost forgeryCost, ok bool) {
	material, err := exampleMaterial(provider, test)
	if err != nil {
		b.Fatal(err)
	}
	for i, value := range material.Secrets {
		material.Secrets[i] = anotherSecret(verifier, value)
	}
	material.Keys = verifier.Prepare(material.Secrets, material.Fetched)
	now := time.Time{}
	if test.Now != nil {
		now = test.Now.Time
	}
	b.SetBytes(int64(len(forged.Body)))
	least, leastHMAC := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	var rejection error
	for b.Loop() {
		start := time.Now()
		mac := hmac.New(sha256.New, []byte("a secret"))
		mac.Write(forged.Body)
		mac.Sum(nil)
		leastHMAC = min(leastHMAC, time.Since(start))

		r := verify.Request{Method: forged.Method, URL: forged.URL, Header: forged.Header, RawQuery: forged.RawQuery, Body: forged.Body}
		start = time.Now()
		_, rejection = receive(verifier, &r, material, now)
		least = min(least, time.Since(start))
	}
	cost.ratio = float64(least) / float64(leastHMAC)
	b.ReportMetric(cost.ratio, "xHMAC")
	if r, is := rejection.(*verify.Rejection); is {
		cost.reason = r.Reason
	} else {
		b.Errorf("it is no forgery, but accepted")
	}
	return cost, true
}

// anotherSecret is a secret that fits where value does, and is another.
func anotherSecret(verifier *verify.Verifier, value secret.Value) secret.Value {
	text := bytes.Clone(value.Reveal())
	for i := len(text) - 2; i >= 0; i-- {
		for _, c := range []byte("aB3") {
			changed := bytes.Clone(text)
			changed[i] = c
			if other := secret.New(changed); c != text[i] && verifier.CheckKey(other) == nil {
				return other
			}
		}
	}
	return value
}
