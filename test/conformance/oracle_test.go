package conformance

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/verify"
)

// TestAnswersAreNoEvents has every handshake answer every challenge, and sends the
// challenge back as an event that is signed with whatever the answer holds. Whoever
// could do that would have events of his own accepted.
func TestAnswersAreNoEvents(t *testing.T) {
	all := loadSenders(t)
	texts := challenges()
	if len(texts) < 300 {
		t.Fatalf("there are %d challenges", len(texts))
	}
	answered, events := map[string]bool{}, 0
	for _, preset := range loadPresets(t) {
		sender := all[preset.Name]
		for i := range sender.Provider.Handshakes {
			h := &sender.Provider.Handshakes[i]
			if !h.Unsigned {
				continue
			}
			o := oracleOf(t, all, preset, h)
			for _, text := range texts {
				pieces := o.ask(text)
				if len(pieces) > 0 {
					answered[preset.Name] = true
				}
				for _, event := range o.events(text, pieces) {
					events++
					o.try(t, event)
				}
			}
		}
	}
	for _, name := range []string{"x-twitter", "braintree", "dropbox", "okta"} {
		if !answered[name] {
			t.Errorf("no challenge of %s was answered", name)
		}
	}
	t.Logf("%d handshakes answer; %d events were made of their answers", len(answered), events)
}

// challenges are texts that could be read as something else: JSON, numbers, forms,
// encodings, XML.
func challenges() []string {
	texts := []string{
		"", "null", "true", "false", "0", "-1", "1e3", "1.5", `""`, `"a"`, "{}", "[]", `{"id":"1"}`, `[{"id":"1"}]`, `{"type":"event","id":1}`,
		"a", "a=b", "a=b&c=d", "payload=%7B%7D", "bt_payload=x", "<a/>", "<notification><kind>check</kind><timestamp>1</timestamp></notification>",
		"challenge_string", "A-Z_a.z~0", "....", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30.", "v0:1767225600:{}", "1767225600.{}", "+", "%7B%7D", " ", "\ufeff{}",
		strings.Repeat("a", 20), strings.Repeat("0", 32), strings.Repeat("f", 64), strings.Repeat("z", 128), strings.Repeat("z", 256),
	}
	for _, document := range []string{
		"{}", `{"id":1}`, "[]", "null", "1", "<a/>", "\n<a/>", "<notification><kind>check</kind></notification>", `{"for_user_id":"1"}`, "a=b", "x\x9cK\x00", "\x1f\x8b\b",
	} {
		texts = append(texts, base64.StdEncoding.EncodeToString([]byte(document)), base64.RawURLEncoding.EncodeToString([]byte(document)),
			hex.EncodeToString([]byte(document)), strings.ToUpper(hex.EncodeToString([]byte(document))))
	}
	for i := range 256 {
		texts = append(texts, strconv.Itoa(i*i*i), fmt.Sprintf("%020x", i*7919), fmt.Sprintf("%032x", i))
	}
	return texts
}

// oracle is a handshake that anybody can have answered.
type oracle struct {
	specimen specimen // an event of the preset
	sender   *verify.Provider
	verifier *verify.Verifier
	material *verify.Material
	asked    wire // the handshake of the example
	at       []verify.Location
}

func oracleOf(t *testing.T, all senders, preset *v1alpha1.WebhookProvider, h *verify.Handshake) *oracle {
	t.Helper()
	sender := &all[preset.Name].Provider
	s := newSpecimen(t, preset, sender)
	example := handshakeExample(t, preset, h.Name)
	asking := specimen{preset: preset.Name, example: example, scheme: s.scheme, wire: wireOf(t, &example.Request)}
	o := &oracle{specimen: s, sender: sender, verifier: all.verifier(t, preset.Name), material: asking.material(t, sender), asked: asking.wire}
	for _, c := range slices.Concat(h.Match, h.Guard) {
		if c.Equals == "" && c.Parameter == "" && !c.Absent {
			o.at = append(o.at, c.Location)
		}
	}
	return o
}

// pieceOfAnswer is a text in an answer that could be a signature.
var pieceOfAnswer = regexp.MustCompile(`[A-Za-z0-9+/=_.-]+`)

// ask returns the pieces of the answers to a challenge, wherever it is written.
func (o *oracle) ask(text string) (pieces []string) {
	for _, at := range o.at {
		s := specimen{example: o.specimen.example, wire: o.asked.with(at, text)}
		answer, err := o.verifier.Handshake(s.request(), o.material, nil)
		if err != nil || answer == nil {
			continue
		}
		whole := []string{string(answer.Body)}
		for _, values := range answer.Header {
			whole = append(whole, values...)
		}
		var object map[string]any
		if json.Unmarshal(answer.Body, &object) == nil {
			for _, value := range object {
				whole = append(whole, fmt.Sprint(value))
			}
		}
		for _, text := range whole {
			pieces = append(append(pieces, text, strings.TrimPrefix(text, "sha256=")), pieceOfAnswer.FindAllString(text, -1)...)
		}
	}
	slices.Sort(pieces)
	return slices.Compact(pieces)
}

// events are requests in which the text is what each scheme signs, with each piece as
// its signature.
func (o *oracle) events(text string, pieces []string) (all []wire) {
	for i := range o.sender.Schemes {
		scheme := &o.sender.Schemes[i]
		for _, piece := range pieces {
			for _, w := range o.bodies(text) {
				all = append(all, o.signed(w, scheme, piece))
			}
		}
	}
	return all
}

// bodies are the event of the preset with the text in the place of all or of a part of
// its body, whatever it is declared as.
func (o *oracle) bodies(text string) (all []wire) {
	contentType := verify.Location{Header: "Content-Type"}
	for _, declared := range []string{"application/json", formMediaType} {
		w := o.unsigned().with(contentType, declared)
		w.body = []byte(text)
		all = append(all, w)
		for _, name := range formFields(o.sender) {
			w.body = []byte(url.QueryEscape(name) + "=" + url.QueryEscape(text) + "&anything=else")
			all = append(all, w)
		}
	}
	return all
}

// unsigned is the event without its own signature, of whatever scheme.
func (o *oracle) unsigned() wire {
	w := o.specimen.wire
	for i := range o.sender.Schemes {
		for _, at := range o.sender.Schemes[i].Signature.From {
			if at.Header != "" || at.Query != "" {
				w = w.with(at, "")
			}
		}
	}
	return w
}

// formField is a form field in a template.
var formField = regexp.MustCompile(`\{form:([^|}]+)`)

func formFields(sender *verify.Provider) (names []string) {
	for i := range sender.Schemes {
		for _, found := range formField.FindAllStringSubmatch(sender.Schemes[i].Content, -1) {
			names = append(names, found[1])
		}
	}
	return names
}

// signed puts a piece where the scheme has its signature.
func (o *oracle) signed(w wire, scheme *verify.Scheme, piece string) wire {
	g := scheme.Signature
	value := g.Prefix + piece
	switch {
	case g.List != nil:
		value = g.List.Prefix + piece
	case g.KeyValue != nil:
		value = g.KeyValue.SignatureKey + g.KeyValue.Equals + piece
		if g.KeyValue.TimestampKey != "" {
			value = g.KeyValue.TimestampKey + g.KeyValue.Equals + strconv.FormatInt(o.specimen.now().Unix(), 10) + g.KeyValue.Separator + value
		}
	case g.Pairs != nil && !strings.Contains(piece, g.Pairs.Equals):
		id, _, _ := strings.Cut(o.specimen.example.Secret, ":")
		value = id + g.Pairs.Equals + piece
	}
	if g.From[0].Form != "" {
		w.body = append(slices.Clone(w.body), "&"+url.QueryEscape(g.From[0].Form)+"="+url.QueryEscape(value)...)
		return w
	}
	return w.with(g.From[0], value)
}

// try fails the test if the request is an event.
func (o *oracle) try(t *testing.T, w wire) {
	t.Helper()
	w.method = http.MethodPost
	s := specimen{example: o.specimen.example, wire: w}
	r := s.request()
	if answer, err := o.verifier.Handshake(r, o.material, nil); answer != nil || err != nil {
		return // no event, whatever comes of it
	}
	verdict, err := o.verifier.Verify(r, o.material, o.specimen.now())
	if err == nil {
		_, err = o.verifier.Identify(r, verdict)
	}
	if err == nil {
		t.Errorf("%s: %q is an event, signed by an answer to a handshake", o.specimen.preset, w.body)
	}
}
