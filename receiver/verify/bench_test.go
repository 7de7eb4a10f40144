package verify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"testing"
	"time"
)

// The benchmarks stand beside the work that can't be avoided: one HMAC over the
// same bytes with crypto/hmac.

const benchBody = 8 << 10

func BenchmarkBareHMAC(b *testing.B) {
	body, key := bytes.Repeat([]byte("x"), benchBody), []byte(testSecret)
	b.ReportAllocs()
	b.SetBytes(benchBody)
	for b.Loop() {
		mac := hmac.New(sha256.New, key)
		mac.Write(body)
		if len(mac.Sum(nil)) != sha256.Size {
			b.Fatal("no sum")
		}
	}
}

func BenchmarkVerifyGitHub(b *testing.B) {
	body := bytes.Repeat([]byte("x"), benchBody)
	benchmark(b, githubLike, testSecret, body, http.Header{
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(hmacOf(testSecret, string(body)))},
		"X-Github-Delivery":   {"1"},
	})
}

func BenchmarkVerifyStripe(b *testing.B) {
	body := bytes.Repeat([]byte("x"), benchBody)
	benchmark(b, stripeLike, testSecret, body, http.Header{
		"Stripe-Signature": {"t=1700000000,v1=" + hex.EncodeToString(hmacOf(testSecret, "1700000000."+string(body)))},
	})
}

func BenchmarkVerifyStandardWebhooks(b *testing.B) {
	body := bytes.Repeat([]byte("x"), benchBody)
	benchmark(b, standardLike, "whsec_"+base64.StdEncoding.EncodeToString([]byte(testSecret)), body, http.Header{
		"Webhook-Id":        {"msg_1"},
		"Webhook-Timestamp": {"1700000000"},
		"Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(hmacOf(testSecret, "msg_1.1700000000."+string(body)))},
	})
}

func benchmark(b *testing.B, p Provider, key string, body []byte, header http.Header) {
	b.Helper()
	v, err := Compile(p)
	if err != nil {
		b.Fatal(err)
	}
	material, now := keysOf(key), time.Unix(1700000000, 0)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := Request{Method: http.MethodPost, Header: header, Body: body}
		if _, err := v.Verify(&r, material, now); err != nil {
			b.Fatal(err)
		}
	}
}
