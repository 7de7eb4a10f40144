package conformance

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// specimen is the first genuine event among the examples of a preset.
type specimen struct {
	preset  string
	example *v1alpha1.ProviderTest
	others  []v1alpha1.ProviderTest // all examples of the preset
	scheme  *verify.Scheme
	wire    wire
}

// now is when the event arrives.
func (s *specimen) now() time.Time {
	if s.example.Now == nil {
		return time.Unix(1767225600, 0)
	}
	return s.example.Now.Time
}

// material is what the specimen is verified with.
func (s *specimen) material(t *testing.T, provider *verify.Provider) *verify.Material {
	t.Helper()
	m := &verify.Material{Secrets: []secret.Value{secret.New([]byte(s.example.Secret))}, Parameters: verify.Parameters{}, Fetched: map[string][]byte{}}
	for _, parameter := range s.example.Parameters {
		for _, value := range parameter.Values {
			m.Parameters[parameter.Name] = append(m.Parameters[parameter.Name], secret.New([]byte(value)))
		}
	}
	if (s.certificate() != verify.Location{}) {
		m.Certificate, m.Roots = []byte(s.example.Key), x509.NewCertPool()
		m.Roots.AppendCertsFromPEM(m.Certificate)
	}
	sources, err := provider.FetchURLs(m.Parameters)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		m.Fetched[source.URL] = []byte(s.example.Key)
	}
	return m
}

// loadSpecimens takes one from each preset.
func loadSpecimens(t *testing.T, all senders) []specimen {
	t.Helper()
	var specimens []specimen
	for _, preset := range loadPresets(t) {
		specimens = append(specimens, newSpecimen(t, preset, &all[preset.Name].Provider))
	}
	return specimens
}

// loadPresets reads the presets as they are written, in the order of their names.
func loadPresets(t *testing.T) []*v1alpha1.WebhookProvider {
	t.Helper()
	presets, err := provider.Presets()
	if err != nil {
		t.Fatal(err)
	}
	return presets
}

func newSpecimen(t *testing.T, preset *v1alpha1.WebhookProvider, provider *verify.Provider) specimen {
	t.Helper()
	tests := preset.Spec.Tests
	i := slices.IndexFunc(tests, func(test v1alpha1.ProviderTest) bool { return test.Expect.ID != "" })
	if i < 0 {
		t.Fatalf("%s has no example of a genuine event", preset.Name)
	}
	s := specimen{preset: preset.Name, example: &tests[i], others: tests, scheme: &provider.Schemes[0], wire: wireOf(t, &tests[i].Request)}
	for j := range provider.Schemes {
		if provider.Schemes[j].Name == s.example.Expect.Scheme {
			s.scheme = &provider.Schemes[j]
		}
	}
	return s
}

// field is a header line.
type field struct{ name, value string }

// wire is a request as it goes over the wire. Its methods return changed copies.
type wire struct {
	method string
	query  string // as in the request line
	header []field
	body   []byte
}

func wireOf(t *testing.T, request *v1alpha1.ExampleRequest) wire {
	t.Helper()
	body, err := request.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(request.URL, "?")
	w := wire{method: request.Method, query: query, body: body}
	if w.method == "" {
		w.method = http.MethodPost
	}
	for _, header := range request.Headers {
		w.header = append(w.header, field{header.Name, header.Value})
	}
	return w
}

// text is the request as a client writes it.
func (w wire) text(host, path string) []byte {
	var text bytes.Buffer
	target := path
	if w.query != "" {
		target += "?" + w.query
	}
	text.WriteString(w.method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n")
	for _, header := range w.header {
		text.WriteString(header.name + ": " + header.value + "\r\n")
	}
	text.WriteString("Content-Length: " + strconv.Itoa(len(w.body)) + "\r\n\r\n")
	text.Write(w.body)
	return text.Bytes()
}

// get is what is at a place.
func (w wire) get(at verify.Location) string {
	switch {
	case at.Header != "":
		for _, header := range w.header {
			if strings.EqualFold(header.name, at.Header) {
				return header.value
			}
		}
		return ""
	case at.Query != "":
		values, _ := url.ParseQuery(w.query)
		return values.Get(at.Query)
	case at.Form != "":
		return w.form().Get(at.Form)
	case at.JSON != "":
		return w.member(at.JSON)
	}
	return ""
}

// form is the body as a form, if it is declared as one.
func (w wire) form() url.Values {
	if !strings.HasPrefix(w.get(verify.Location{Header: "Content-Type"}), formMediaType) {
		return nil
	}
	values, _ := url.ParseQuery(string(w.body))
	return values
}

// member is the text at a JSON pointer.
func (w wire) member(pointer string) string {
	decoder := json.NewDecoder(bytes.NewReader(w.body))
	decoder.UseNumber()
	var value any
	if !json.Valid(w.body) || decoder.Decode(&value) != nil {
		return ""
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		switch in := value.(type) {
		case map[string]any:
			value = in[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i >= len(in) {
				return ""
			}
			value = in[i]
		}
	}
	switch text := value.(type) {
	case string:
		return text
	case json.Number:
		return text.String()
	case bool:
		return strconv.FormatBool(text)
	}
	return ""
}

// with sets what is at a place, and adds it if it isn't there.
func (w wire) with(at verify.Location, value string) wire {
	switch {
	case at.Header != "":
		i := slices.IndexFunc(w.header, func(h field) bool { return strings.EqualFold(h.name, at.Header) })
		if i < 0 {
			return w.and(at, value)
		}
		w.header = slices.Clone(w.header)
		w.header[i].value = value
	case at.Query != "":
		values, _ := url.ParseQuery(w.query)
		values.Set(at.Query, value)
		w.query = values.Encode()
	case at.Form != "":
		old := at.Form + "=" + url.QueryEscape(w.get(at))
		w.body = bytes.Replace(w.body, []byte(old), []byte(at.Form+"="+url.QueryEscape(value)), 1)
	case at.JSON != "":
		w.body = w.replaced(w.get(at), quoted(value))
	}
	return w
}

// quoted is a text in JSON, with no escape that isn't needed.
func quoted(text string) string { return strconv.Quote(text) }

// replaced is the body with another value in the place of a text, or of a number.
func (w wire) replaced(old, with string) []byte {
	if text := []byte(quoted(old)); bytes.Contains(w.body, text) {
		return bytes.Replace(w.body, text, []byte(with), 1)
	}
	return bytes.Replace(w.body, []byte(old), []byte(strings.Trim(with, `"`)), 1)
}

// and adds a second value at a place. Of a JSON document it changes nothing: a
// member occurs once.
func (w wire) and(at verify.Location, value string) wire {
	switch {
	case at.Header != "":
		w.header = append(slices.Clone(w.header), field{at.Header, value})
	case at.Query != "":
		w.query += "&" + at.Query + "=" + url.QueryEscape(value)
	case at.Form != "":
		w.body = append(slices.Clone(w.body), "&"+at.Form+"="+url.QueryEscape(value)...)
	}
	return w
}

// without takes away what is at a place.
func (w wire) without(at verify.Location) wire {
	switch {
	case at.Header != "":
		w.header = slices.DeleteFunc(slices.Clone(w.header), func(h field) bool { return strings.EqualFold(h.name, at.Header) })
		return w
	case at.Query != "":
		values, _ := url.ParseQuery(w.query)
		values.Del(at.Query)
		w.query = values.Encode()
		return w
	case at.Form != "":
		w.body = bytes.Replace(w.body, []byte(at.Form+"="), []byte("x"+at.Form+"="), 1)
		return w
	}
	w.body = w.replaced(w.get(at), "null")
	return w
}

// variables are those of a template.
var variables = regexp.MustCompile(`\{([a-z0-9_]+)(?::([^}]*))?\}`)

// signed is all that a scheme looks at: what is signed, the signature, and what
// it needs beside them. Two requests with the same are equally authentic.
func (s *specimen) signed(w wire) string {
	var parts []string
	for _, at := range append(s.places(), s.scheme.Signature.From...) {
		parts = append(parts, w.get(at))
	}
	for _, variable := range variables.FindAllStringSubmatch(s.scheme.Content, -1) {
		parts = append(parts, w.variable(variable[1], variable[2]))
	}
	if d := s.scheme.BodyDigest; d != nil && (!d.Optional || w.get(d.From) != "") {
		parts = append(parts, string(w.body))
	}
	return strings.Join(parts, "\x00")
}

// places are those that the scheme reads beside the content, the signature and
// the timestamp.
func (s *specimen) places() (places []verify.Location) {
	for _, at := range []*verify.Location{s.scheme.ID, s.scheme.KeyID} {
		if at != nil {
			places = append(places, *at)
		}
	}
	if h := s.scheme.SignedHeaders; h != nil {
		places = append(places, h.From)
		for name := range strings.SplitSeq(s.wire.get(h.From), ",") {
			places = append(places, verify.Location{Header: name})
		}
	}
	for _, required := range slices.Concat(s.scheme.When, s.scheme.Require) {
		places = append(places, required.Location)
	}
	return places
}

// signsURL reports whether the query is signed.
func (s *specimen) signsURL() bool {
	token := s.scheme.JWT
	return strings.Contains(s.scheme.Content, "{url}") || strings.Contains(s.scheme.Content, "{request_uri}") ||
		token != nil && slices.ContainsFunc(token.Claims, func(c verify.Claim) bool { return c.URLDigest != "" })
}

// certificate is the place that names the certificate; empty: the scheme needs none.
func (s *specimen) certificate() verify.Location {
	if s.scheme.KeySource == nil || s.scheme.KeySource.Certificate == nil {
		return verify.Location{}
	}
	return s.scheme.KeySource.Certificate.From
}

// variable is the value of a variable, or what it is made of.
func (w wire) variable(name, argument string) string {
	switch name {
	case "body", "body_sha256", "crc32":
		return string(w.body)
	case "url", "request_uri":
		return w.query
	case "members":
		var members []string
		for name := range strings.SplitSeq(argument, ",") {
			members = append(members, w.get(verify.Location{JSON: "/" + name}))
		}
		return strings.Join(members, "\x00")
	case "form_sorted":
		return w.form().Encode()
	case "header":
		return w.get(verify.Location{Header: argument})
	case "query":
		return w.get(verify.Location{Query: argument})
	case "form":
		return w.get(verify.Location{Form: argument})
	case "json":
		return w.get(verify.Location{JSON: argument})
	}
	return ""
}
