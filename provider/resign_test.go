package provider

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/verify"
)

// TestPresetsSignAnew: what each preset's sender signed is authentic ten days later
// when it was signed anew, and is the same event. It stands for the check that is
// not made at each attempt.
func TestPresetsSignAnew(t *testing.T) {
	presets, err := Presets()
	if err != nil {
		t.Fatal(err)
	}
	signed := 0
	for _, object := range presets {
		t.Run(object.Name, func(t *testing.T) {
			provider := verifyProvider(object.Name, &object.Spec)
			verifier, err := verify.Compile(provider)
			if err != nil {
				t.Fatal(err)
			}
			able := verifier.Resigns(true)
			if able == nil {
				signed++
			}
			for i := range object.Spec.Tests {
				test := &object.Spec.Tests[i]
				if test.Expect.Rejected == "" && test.Expect.Handshake == nil {
					signsAnew(t, verifier, &provider, test, able == nil)
				}
			}
		})
	}
	if signed < 60 {
		t.Errorf("only %d presets can be signed anew", signed)
	}
}

func signsAnew(t *testing.T, v *verify.Verifier, provider *verify.Provider, test *v1alpha1.ProviderTest, able bool) {
	t.Helper()
	var at time.Time
	if test.Now != nil {
		at = test.Now.Time
	}
	material, err := exampleMaterial(provider, test)
	if err != nil {
		t.Fatal(err)
	}
	r, err := exampleRequest(&test.Request)
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := v.Verify(r, material, at)
	if err != nil {
		t.Fatalf("%s: %v", test.Name, err)
	}
	signed := verdict.ContentSHA256
	event, err := v.Identify(r, verdict)
	if err != nil {
		t.Fatalf("%s: %v", test.Name, err)
	}
	// What is stored is what a receiver stores for a target that gets credentials.
	again := &verify.Request{Method: r.Method, URL: r.URL, Header: r.Header.Clone(), RawQuery: r.RawQuery, Body: bytes.Clone(r.Body)}
	later := at.Add(10 * 24 * time.Hour)
	err = v.Resign(again, verdict.Scheme, material, later)
	if !able {
		return // that it says so is for the endpoint, see TestFreshNeedsASharedSecret
	}
	if err != nil {
		t.Fatalf("%s: %v", test.Name, err)
	}
	verdict, err = v.Verify(again, material, later)
	if err != nil {
		t.Fatalf("%s: signed anew, it is refused: %v", test.Name, err)
	}
	inBody := !bytes.Equal(r.Body, again.Body)
	if inBody && !signsInBody(provider, verdict.Scheme) {
		t.Errorf("%s: the body has changed", test.Name)
	}
	got, err := v.Identify(again, verdict)
	// Where nothing else tells events apart, the id is made of what is signed, and the
	// time is part of that. The target goes by the id that is stored.
	made := inBody || strings.Contains(event.ID, hex.EncodeToString(signed[:]))
	if err != nil || got.Type != event.Type || got.ID != event.ID && !made {
		t.Errorf("%s: it is the event %+v, %v, and was %+v", test.Name, got, err, event)
	}
}

// signsInBody reports whether a scheme writes time or signature into the body.
func signsInBody(p *verify.Provider, name string) bool {
	for _, s := range p.Schemes {
		places := s.Signature.From
		if s.Timestamp != nil && s.Timestamp.From != nil {
			places = append(slices.Clip(places), *s.Timestamp.From)
		}
		for _, at := range places {
			if s.Name == name && (at.JSON != "" || at.Form != "") {
				return true
			}
		}
	}
	return false
}
