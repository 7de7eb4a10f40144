package conformance

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/verify"
)

// TestOneSignatureIsOneEvent: where a signed text can be taken apart in more than one
// way, whoever holds a genuine event makes another one of the same text. It is a
// duplicate, whatever its id, and the genuine one again is one, too.
func TestOneSignatureIsOneEvent(t *testing.T) {
	all := loadSenders(t)
	const adyenKey = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	key, err := hex.DecodeString(adyenKey)
	if err != nil {
		t.Fatal(err)
	}
	item := func(psp, original, account, reference, signature string) wire {
		return wire{method: http.MethodPost, body: []byte(`{"notificationItems":[{"NotificationRequestItem":{"pspReference":` + strconv.Quote(psp) +
			`,"originalReference":` + strconv.Quote(original) + `,"merchantAccountCode":` + strconv.Quote(account) + `,"merchantReference":` + strconv.Quote(reference) +
			`,"amount":{"value":1000,"currency":"EUR"},"eventCode":"AUTHORISATION","success":"true","additionalData":{"hmacSignature":"` + signature + `"}}}]}`)}
	}
	paid := base64.StdEncoding.EncodeToString(macOf(sha256.New, string(key), "psp1::Shop:order:5:1000:EUR:AUTHORISATION:true"))
	message := func(id, stamp, body string) wire {
		return wire{method: http.MethodPost, body: []byte(body), header: []field{
			{"webhook-id", id}, {"webhook-timestamp", stamp},
			{"webhook-signature", "v1," + base64.StdEncoding.EncodeToString(macOf(sha256.New, trapSecret, "order.1767225599.1767225600.", "1"))},
		}}
	}
	for preset, test := range map[string]struct {
		secret         string
		genuine, moved wire
	}{
		"adyen":             {adyenKey, item("psp1", "", "Shop", "order:5", paid), item("psp1:", "Shop", "order", "5", paid)},
		"standard-webhooks": {base64.StdEncoding.EncodeToString([]byte(trapSecret)), message("order.1767225599", trapStamp, "1"), message("order", "1767225599", trapStamp+".1")},
	} {
		t.Run(preset, func(t *testing.T) {
			s := specimenOf(t, all, preset)
			example := *s.example
			example.Secret, example.Now, example.Parameters = test.secret, nil, nil
			s.example, s.wire = &example, test.genuine
			g := newGround(t, all, []specimen{s})
			g.accept(t, &s)
			for _, w := range []wire{test.moved, test.genuine} {
				if status, record := g.send(t, &s, mutant{wire: w}); status != http.StatusOK || record.Status != audit.Duplicate {
					t.Errorf("answered %d, the audit says %s: %s", status, record.Status, record.ErrorMessage)
				}
			}
		})
	}
}

// TestEncodingIsNoOtherEvent: a header that nobody signs makes no new event of a genuine
// one, for no preset whose sender signs.
func TestEncodingIsNoOtherEvent(t *testing.T) {
	all := loadSenders(t)
	for _, s := range loadSpecimens(t, all) {
		if s.scheme.Algorithm == verify.Token || s.scheme.Algorithm == verify.Basic {
			continue
		}
		v := all.verifier(t, s.preset)
		for _, encoding := range []string{"gzip", "deflate", "br", "x"} {
			encoded := s
			encoded.wire = s.wire.and(verify.Location{Header: "Content-Encoding"}, encoding)
			r := encoded.request()
			verdict, err := v.Verify(r, s.material(t, &all[s.preset].Provider), s.now())
			if err != nil {
				continue
			}
			if event, err := v.Identify(r, verdict); err == nil && event.ID != s.example.Expect.ID {
				t.Errorf("%s, %s: the event is %s, want %s", s.preset, encoding, event.ID, s.example.Expect.ID)
			}
		}
	}
}
