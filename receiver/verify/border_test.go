package verify

import (
	"bytes"
	"compress/flate"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// urlBeside is a provider that signs the URL right before the body.
func urlBeside(format BodyFormat, encoding ContentEncoding) Provider {
	p := signingProvider("{url}{body}", "{json:/id}", "{signed_sha256}")
	p.Schemes = slices.Clone(p.Schemes)
	p.Schemes[0].BodyFormat, p.Schemes[0].ContentEncoding = format, encoding
	return p
}

// TestBytesThatMove: whoever has one genuine request moves bytes of the body into the
// query. The signature is the same; what is left of the body is no event.
func TestBytesThatMove(t *testing.T) {
	const at, body = "https://hooks.example.com/x?tenant=1", `[{"id":"genuine","note":"{}"}]`
	signature := hexOf(hmacOf(testSecret, at+body))
	v := compiledProvider(t, urlBeside(JSONBody, AsSent))
	for moved := range len(body) {
		r := &Request{Method: http.MethodPost, URL: at + body[:moved], Header: http.Header{"X-Sig": {signature}}, Body: []byte(body[moved:])}
		_, err := v.Verify(r, keysOf(testSecret), now)
		if got, want := reasonOf(t, err), map[bool]Reason{true: MalformedBody}[moved > 0]; got != want {
			t.Errorf("%d bytes moved: %v, want %q", moved, err, want)
		}
	}
}

// TestBordersOfEncodedBodies: a body that only its format tells from what is beside it
// must be of that format as it is signed. Others could find the encoding of an event in it.
func TestBordersOfEncodedBodies(t *testing.T) {
	const at = "https://hooks.example.com/x?tenant=1"
	var deflated bytes.Buffer
	w, _ := flate.NewWriter(&deflated, flate.BestCompression)
	_, _ = w.Write([]byte(`{"id":"1"}`))
	_ = w.Close()
	send := func(p Provider, signed string) error {
		r := &Request{Method: http.MethodPost, URL: at, Header: http.Header{"Content-Encoding": {"deflate"}}, Body: deflated.Bytes()}
		r.Header.Set("X-Sig", hexOf(hmacOf(testSecret, signed)))
		_, err := compiledProvider(t, p).Verify(r, keysOf(testSecret), now)
		return err
	}
	if err := send(urlBeside(JSONBody, AsSent), at+deflated.String()); reasonOf(t, err) != PreconditionFailed {
		t.Errorf("as sent: %v", err)
	}
	if err := send(urlBeside(JSONBody, Decoded), at+`{"id":"1"}`); err != nil {
		t.Errorf("decoded: %v", err)
	}
	bordered := ofFormat(JSONBody, signingProvider("{url}\n{body}", "{json:/id}"))
	if err := send(bordered, at+"\n"+deflated.String()); err != nil {
		t.Errorf("with a border of its own: %v", err)
	}
}

// TestDigestsWithoutBorders: an id must not be made of what anybody can change.
func TestDigestsWithoutBorders(t *testing.T) {
	for content, want := range map[string]string{
		"{body}": "", "{url}\n{body}": "", "v1:{body}": "",
		"{url}{body}":             "bytes could move between the body and {url}",
		"{body}{header:X-A}":      "bytes could move between the body and header X-A",
		"{header:X-A}:{body}":     "bytes could move between the body and header X-A",
		"{method}{body}":          "bytes could move between the body and {method}",
		"{method}/{body}":         "",
		"{form:payload}":          "does not sign all of the body",
		"{form_sorted}":           "does not sign all of the body",
		"{body_sha256}{header:a}": "",
	} {
		_, err := Compile(signingProvider(content, "{body_sha256}"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}

// TestMovable: what is signed can be taken apart otherwise where two parts that may hold
// anything are joined.
func TestMovable(t *testing.T) {
	for content, want := range map[string]bool{
		"{body}": false, "{timestamp}.{body}": false, "{id}:{timestamp}": false, "{method}\n{body}": false,
		"{id}.{timestamp}.{body}": true, "{id}{body}": true, "{json:/a}:{json:/b}": true, "{json:/a}\n{json:/b}": true,
		"{header:X-A}\n{body}": false, "{header:X-A}.{body}": true, "{url}\n{body}": false, "{id}|{timestamp}|{crc32}": false,
	} {
		for id, moves := range map[string]bool{"{id}": want, "{signed_sha256}": false} {
			p := signingProvider(content, id)
			s := &p.Schemes[0]
			s.BodyUnsigned = !strings.Contains(content, "{body}") && !strings.Contains(content, "{crc32}")
			s.ID = &Location{Header: "X-Id"}
			s.Timestamp = &Timestamp{From: &Location{Header: "X-Time"}, Unit: Seconds}
			if !strings.Contains(content, "{timestamp}") {
				s.Timestamp = nil
			}
			if !strings.Contains(content, "{id}") {
				s.ID, id = nil, strings.ReplaceAll(id, "{id}", "{header:X-Id}")
				p.Identity.ID = []string{id}
			}
			if _, err := Compile(p); err != nil {
				t.Fatalf("%s: %v", content, err)
			}
			if got := p.Movable(); got != moves {
				t.Errorf("%s, with the id %s: %t", content, id, got)
			}
		}
	}
	if bordered := ofFormat(JSONObject, signingProvider("{id}.{body}", "{id}")); bordered.Movable() {
		t.Error("a body that must be JSON moves")
	}
	if (Provider{}).Movable() {
		t.Error("what can't be compiled moves")
	}
}
