package verify

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/receiver/secret"
)

// signedHex is a provider that signs the body, with places in its JSON.
func signedHex(change func(*Scheme)) Provider {
	s := Scheme{
		Name: "default", Algorithm: HMACSHA256, Content: "{body}",
		Signature: Signature{From: []Location{{Header: "X-Signature"}}, Prefix: "sha256=", Encoding: Hex},
	}
	if change != nil {
		change(&s)
	}
	return Provider{Name: "example", Schemes: []Scheme{s}, Identity: Identity{ID: []string{"{json:/id}", "{form:id}", "{body_sha256}"}, Type: []string{"{json:/type}"}}}
}

// accepted verifies and identifies.
func accepted(t *testing.T, v *Verifier, r *Request) (Identification, error) {
	t.Helper()
	verdict, err := v.Verify(r, keysOf(testSecret), now)
	if err != nil {
		return Identification{}, err
	}
	return v.Identify(r, verdict)
}

func signedBody(signed, sent string, pairs ...string) *Request {
	return post(sent, append(pairs, "X-Signature", "sha256="+hexOf(hmacOf(testSecret, signed)))...)
}

// TestJSONIsCheckedOnceItIsSigned: what is read of a body before its signature is
// found right has to be JSON afterwards; a forger learns nothing of that.
func TestJSONIsCheckedOnceItIsSigned(t *testing.T) {
	inBody := signedHex(func(s *Scheme) {
		s.Require = []Condition{{Location: Location{JSON: "/type"}, Equals: "t"}}
	})
	v := compiledProvider(t, inBody)
	for name, test := range map[string]struct {
		body string
		want Reason
	}{
		"JSON":                     {`{"type":"t","id":1}`, ""},
		"cut off":                  {`{"type":"t","id":1`, MalformedBody},
		"two values":               {`{"type":"t","id":1}{}`, MalformedBody},
		"brackets of other kinds":  {`{"type":"t","id":[1}]}`, MalformedBody},
		"no such member, no JSON":  {`{"typ":"t"`, PreconditionFailed},
		"the member in its middle": {`{"x":"type":"t"}`, MalformedBody},
	} {
		_, err := accepted(t, v, signedBody(test.body, test.body))
		if got := reasonOf(t, err); got != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if _, err := accepted(t, v, signedBody("another", test.body)); test.want != PreconditionFailed && reasonOf(t, err) != WrongSignature {
			t.Errorf("%s, forged: %v", name, err)
		}
	}
}

func TestByteOrderMark(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	v := compiledProvider(t, signedHex(func(s *Scheme) {
		s.BodyFormat = JSONObject
		s.Require = []Condition{{Location: Location{JSON: "/type"}}}
	}))
	body := mark + ` {"id":"e1","type":"t"}`
	if got, err := accepted(t, v, signedBody(body, body)); err != nil || got.ID != "e1" || got.Type != "t" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := accepted(t, v, signedBody(strings.TrimPrefix(body, mark), body)); reasonOf(t, err) != WrongSignature {
		t.Errorf("the mark is not signed: %v", err)
	}
	if _, err := accepted(t, v, signedBody(mark+body, mark+body)); reasonOf(t, err) == "" {
		t.Error("two marks are JSON")
	}
}

// compressedBy writes text with a content coding.
func compressedBy(t *testing.T, coding, text string) string {
	t.Helper()
	var (
		out    bytes.Buffer
		writer io.WriteCloser
		err    error
	)
	switch coding {
	case "gzip":
		writer = gzip.NewWriter(&out)
	case "deflate":
		writer = zlib.NewWriter(&out)
	default:
		writer, err = flate.NewWriter(&out, flate.BestSpeed)
	}
	if err == nil {
		_, err = writer.Write([]byte(text))
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestContentEncoding(t *testing.T) {
	const plain = `{"id":"e1","type":"t"}`
	zipped := compressedBy(t, "gzip", plain)
	asSent := compiledProvider(t, signedHex(nil))
	decoded := compiledProvider(t, signedHex(func(s *Scheme) { s.ContentEncoding = Decoded }))
	object := compiledProvider(t, signedHex(func(s *Scheme) { s.BodyFormat = JSONObject }))
	for name, test := range map[string]struct {
		v            *Verifier
		signed, sent string
		coding       string
		want         Reason
		id, hint     string
	}{
		"as sent":             {asSent, zipped, zipped, "gzip", "", "e1", ""},
		"as sent, in capital": {asSent, zipped, zipped, "GZIP", "", "e1", ""},
		"as sent, not so":     {asSent, plain, zipped, "gzip", WrongSignature, "", "compressed (Content-Encoding), and what is verified are the bytes as they were sent"},
		"decoded":             {decoded, plain, zipped, "gzip", "", "e1", ""},
		"decoded, not so":     {decoded, zipped, zipped, "gzip", WrongSignature, "", "compressed (Content-Encoding), and what is verified are the decompressed bytes"},
		"decoded, not coded":  {decoded, plain, plain, "identity", "", "e1", ""},
		"zlib":                {decoded, plain, compressedBy(t, "deflate", plain), "deflate", "", "e1", ""},
		"bare deflate":        {decoded, plain, compressedBy(t, "", plain), "deflate", "", "e1", ""},
		"twice":               {decoded, plain, compressedBy(t, "gzip", compressedBy(t, "deflate", plain)), "deflate, gzip", "", "e1", ""},
		"thrice":              {decoded, plain, plain, "gzip, gzip, gzip", MalformedBody, "", "can't be decompressed"},
		"unknown":             {decoded, plain, plain, "br", MalformedBody, "", "can't be decompressed"},
		"broken":              {decoded, plain, zipped[:len(zipped)-4], "gzip", MalformedBody, "", "can't be decompressed"},
		"something behind":    {decoded, plain, zipped + "x", "gzip", MalformedBody, "", "can't be decompressed"},
		"a charset, asked":    {object, plain, plain, "UTF-8", "", "e1", ""},
		"a charset as well":   {object, zipped, zipped, "utf8, gzip", "", "e1", ""},
		"a charset, decoded":  {decoded, plain, plain, "utf-8", "", "e1", ""},
		"another charset":     {object, plain, plain, "iso-8859-1", MalformedBody, "", "can't be decompressed"},
		"an object":           {object, zipped, zipped, "gzip", "", "e1", ""},
		"an unknown object":   {object, plain, plain, "br", MalformedBody, "", "can't be decompressed"},
		"a plain object":      {object, plain, plain, "gzip", MalformedBody, "", "can't be decompressed"},
		"behind zlib":         {decoded, plain, compressedBy(t, "deflate", plain) + "x", "deflate", MalformedBody, "", "can't be decompressed"},
	} {
		r := signedBody(test.signed, test.sent, "Content-Encoding", test.coding)
		got, err := accepted(t, test.v, r)
		if reasonOf(t, err) != test.want || got.ID != test.id {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, test.want)
		}
		if test.hint != "" && !strings.Contains(rejectionOf(t, err).Detail, test.hint) {
			t.Errorf("%s: %v lacks %q", name, err, test.hint)
		}
		if data, ok := r.Document(); ok != (test.hint != "" && !strings.HasPrefix(test.hint, "can't") || test.want == "") || ok && string(data) != plain {
			t.Errorf("%s: the document is %q, %v", name, data, ok)
		}
	}
}

// TestNothingIsDecompressedForStrangers: but where the sender signs what comes of it.
func TestNothingIsDecompressedForStrangers(t *testing.T) {
	bomb := compressedBy(t, "gzip", `{"type":"t","a":"`+strings.Repeat("a", 9<<20)+`"}`)
	asked := func(change func(*Scheme)) (total int64, err error) {
		r := signedBody("another", bomb, "Content-Encoding", "gzip")
		r.Reserve = func(n int64) bool { total += n; return true }
		_, err = compiledProvider(t, signedHex(change)).Verify(r, keysOf(testSecret), now)
		return total, err
	}
	inBody := func(s *Scheme) { s.Require = []Condition{{Location: Location{JSON: "/type"}}} }
	if total, err := asked(inBody); total != 0 || reasonOf(t, err) != PreconditionFailed || !strings.Contains(err.Error(), "not looked into before it is verified") {
		t.Errorf("%d bytes are taken for a stranger: %v", total, err)
	}
	absent := func(s *Scheme) { s.Require = []Condition{{Location: Location{JSON: "/type"}, Absent: true}} }
	r := signedBody(bomb, bomb, "Content-Encoding", "gzip")
	if _, err := compiledProvider(t, signedHex(absent)).Verify(r, keysOf(testSecret), now); reasonOf(t, err) != PreconditionFailed {
		t.Errorf("what must not be there is hidden by compression: %v", err)
	}
	if total, err := asked(func(s *Scheme) { s.ContentEncoding = Decoded }); total > DefaultDecodeLimit+1 || reasonOf(t, err) != MalformedBody {
		t.Errorf("%d bytes are taken, more than the limit: %v", total, err)
	}
	r = signedBody(bomb, bomb, "Content-Encoding", "gzip")
	r.DecodeLimit = 10 << 20
	if _, err := accepted(t, compiledProvider(t, signedHex(nil)), r); err != nil {
		t.Error(err)
	}
	if _, ok := r.Document(); !ok {
		t.Error("a document within the limit is not decoded")
	}
	r = signedBody(bomb, bomb, "Content-Encoding", "gzip")
	r.Reserve = func(int64) bool { return false }
	if _, ok := r.Document(); ok {
		t.Error("a document is decoded without the memory for it")
	}
}

func TestBodyDigestFollowsTheEncoding(t *testing.T) {
	const plain = `{"id":"e1"}`
	zipped := compressedBy(t, "gzip", plain)
	v := compiledProvider(t, signedHex(func(s *Scheme) { s.Content, s.ContentEncoding = "x{body_sha256}", Decoded }))
	r := post(plain)
	digest := r.BodySHA256()
	if got, err := accepted(t, v, signedBody("x"+hexOf(digest[:]), zipped, "Content-Encoding", "gzip")); err != nil || got.ID != "e1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// multipartBody writes a form; fields with a file name are files.
func multipartBody(t *testing.T, fields [][3]string) (body, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for _, field := range fields {
		create := w.CreateFormField
		if field[2] != "" {
			create = func(name string) (io.Writer, error) { return w.CreateFormFile(name, field[2]) }
		}
		part, err := create(field[0])
		if err == nil {
			_, err = part.Write([]byte(field[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), w.FormDataContentType()
}

// formSigned signs two fields of a form by a third.
func formSigned() Provider {
	return signedHex(func(s *Scheme) {
		s.Content, s.Signature = "{form:timestamp}{form:token}", Signature{From: []Location{{Form: "signature"}}, Encoding: Hex}
		s.BodyFormat = FormBody
	})
}

func TestForms(t *testing.T) {
	signature := hexOf(hmacOf(testSecret, "1767225600ab c"))
	provider := formSigned()
	provider.Identity.ID = []string{"{form:id}"}
	v := compiledProvider(t, provider)
	plain := "body=%zz;&timestamp=1767225600&token=ab+c&signature=" + signature + "&id=e1"
	genuine := [][3]string{{"attachment", "timestamp", "x.txt"}, {"timestamp", "1767225600", ""}, {"token", "ab c", ""}, {"signature", signature, ""}, {"id", "e1", ""}}
	for name, test := range map[string]struct {
		fields [][3]string
		plain  string
		want   Reason
	}{
		"plain":                  {nil, strings.TrimPrefix(plain, "body=%zz;&"), ""},
		"plain, escaped names":   {nil, strings.Replace(strings.TrimPrefix(plain, "body=%zz;&"), "token", "%74oken", 1), ""},
		"a broken field":         {nil, plain, MalformedBody},
		"a field twice":          {nil, plain + "&token=ab+c", DuplicateHeader},
		"a field twice, escaped": {nil, plain + "&%74oken=ab+c", DuplicateHeader},
		"too many":               {nil, strings.Repeat("a=1&", 10000) + plain, MissingSignature},
		"multipart":              {genuine, "", ""},
		"multipart, twice":       {append(slices.Clip(genuine), genuine[2]), "", DuplicateHeader},
		"multipart, file only":   {append([][3]string{{"token", "ab c", "token.txt"}}, genuine[1], genuine[3]), "", MalformedBody},
		"multipart, many parts":  {append(make([][3]string, 1000), genuine...), "", MissingSignature},
		"multipart, forged":      {append([][3]string{{"timestamp", "2", ""}}, genuine[2:]...), "", WrongSignature},
	} {
		body, contentType := test.plain, formType
		if test.fields != nil {
			body, contentType = multipartBody(t, test.fields)
		}
		got, err := accepted(t, v, post(body, "Content-Type", contentType))
		if reasonOf(t, err) != test.want || err == nil && got.ID != "e1" {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, test.want)
		}
	}
	body, contentType := multipartBody(t, genuine)
	fields, ok := post(body, "Content-Type", contentType).Form()
	want := map[string][]string{"timestamp": {"1767225600"}, "token": {"ab c"}, "signature": {signature}, "id": {"e1"}}
	if diff := cmp.Diff(want, fields); diff != "" || !ok {
		t.Errorf("%v: %s", ok, diff)
	}
	for _, contentType := range []string{"multipart/form-data", "multipart/form-data; boundary=other", "application/json", ""} {
		if fields, ok := post(body, "Content-Type", contentType).Form(); ok && len(fields) > 0 {
			t.Errorf("%q is a form: %v", contentType, fields)
		}
	}
}

func TestBodyFormats(t *testing.T) {
	for format, bodies := range map[BodyFormat]map[string]bool{
		"":         {"x": true, "": true},
		AnyBody:    {"x": true, "{": true},
		JSONBody:   {"{}": true, " [1]": true, "1": false, `"x"`: false, "{": false, "": false, "a=1": false},
		JSONObject: {"{}": true, "[]": false, "{}{}": false},
		JSONArray:  {"[{}]": true, "{}": false, "[": false},
		FormBody:   {"a=1": true, "": true, "a=%": false, "a;b": false},
	} {
		provider := signedHex(func(s *Scheme) { s.BodyFormat = format })
		v := compiledProvider(t, provider)
		for body, want := range bodies {
			if _, err := v.Verify(signedBody(body, body, "Content-Type", formType), keysOf(testSecret), now); (err == nil) != want || err != nil && reasonOf(t, err) != MalformedBody {
				t.Errorf("%s, %q: %v", format, body, err)
			}
			if _, err := v.Verify(signedBody("x"+body, body, "Content-Type", formType), keysOf(testSecret), now); reasonOf(t, err) != WrongSignature {
				t.Errorf("%s, %q, forged: %v", format, body, err)
			}
		}
	}
	for _, change := range []func(*Scheme){func(s *Scheme) { s.BodyFormat = "XML" }, func(s *Scheme) { s.ContentEncoding = "gzip" }} {
		if _, err := Compile(signedHex(change)); err == nil {
			t.Error("an unknown word is taken")
		}
	}
}

// TestAuthenticationSchemeInAnyCase: RFC 9110 §11.1.
func TestAuthenticationSchemeInAnyCase(t *testing.T) {
	v := compiledProvider(t, tokenLike)
	for value, want := range map[string]Reason{
		"Bearer " + testSecret: "", "bearer " + testSecret: "", "BEARER " + testSecret: "",
		"Bearer  " + testSecret: WrongSignature, "bearer" + testSecret: MalformedSignature, "Basic " + testSecret: MalformedSignature,
	} {
		if _, err := v.Verify(post("", "Authorization", value), keysOf(testSecret), now); reasonOf(t, err) != want {
			t.Errorf("%.8s: %v, want %q", value, err, want)
		}
	}
	p := signedHex(func(s *Scheme) { s.Signature.Prefix = "Sig " })
	r := signedBody("x", "x")
	r.Header.Set("X-Signature", strings.Replace(r.Header.Get("X-Signature"), "sha256=", "sig ", 1))
	if _, err := compiledProvider(t, p).Verify(r, keysOf(testSecret), now); reasonOf(t, err) != MalformedSignature {
		t.Errorf("in another header the prefix may have any case: %v", err)
	}
}

// TestFewPublicKeySignatures: each costs as much as verifying a genuine request.
func TestFewPublicKeySignatures(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := asymmetric(Ed25519, "base64")
	p.Schemes[0].Signature.Prefix = ""
	p.Schemes[0].Signature.List = &List{Separator: " "}
	v := compiledProvider(t, p)
	right := base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("x")))
	header := p.Schemes[0].Signature.From[0].Header
	for count, want := range map[int]Reason{1: "", 4: "", 5: MalformedSignature} {
		r := post("x", header, strings.TrimSpace(strings.Repeat(right+" ", count)))
		if _, err := v.Verify(r, keysOf(base64.StdEncoding.EncodeToString(public)), now); reasonOf(t, err) != want {
			t.Errorf("%d signatures: %v, want %q", count, err, want)
		}
	}
}

// TestPreparedKeys: keys that were made ready verify what the others do, and no
// more: a secret that has ended is none.
func TestPreparedKeys(t *testing.T) {
	v := compiledProvider(t, signedHex(nil))
	all := keysOf("new", testSecret, " ").Secrets
	for name, test := range map[string]struct {
		secrets, prepared []secret.Value
		want              Reason
		index             int
	}{
		"all":          {all, all, "", 1},
		"one ended":    {all[:1], all, WrongSignature, 0},
		"alone":        {all[1:2], all, "", 0},
		"not prepared": {all, all[:1], "", 1},
		"none fits":    {all[2:], all, NoUsableKey, 0},
	} {
		m := &Material{Secrets: test.secrets, Keys: v.Prepare(test.prepared, nil)}
		verdict, err := v.Verify(signedBody("x", "x"), m, now)
		if reasonOf(t, err) != test.want || verdict.Key != test.index {
			t.Errorf("%s: %v, %+v", name, err, verdict)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, m) + fmt.Sprintf(verb, m.Keys); strings.Contains(text, testSecret) {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
}

// TestLargeHandshake: what no sender sends is not looked into.
func TestLargeHandshake(t *testing.T) {
	v := compiledProvider(t, shaking(Handshake{
		Name: "url_verification", Method: "POST", Unsigned: true, Match: []Condition{jsonIs("/type", "url_verification")}, Answer: answerText("{json:/challenge}"),
	}))
	for size, want := range map[int]bool{100: true, 70_000: false} {
		body := `{"type":"url_verification","challenge":"c","pad":"` + strings.Repeat("x", size) + `"}`
		if answer, err := v.Handshake(post(body), keysOf(testSecret), nil); err != nil || (answer != nil) != want {
			t.Errorf("%d bytes: %v, %v", size, answer, err)
		}
	}
	if answer, err := v.Handshake(post(`{"type":"url_verification","challenge":"c"`), keysOf(testSecret), nil); err != nil || answer != nil {
		t.Errorf("what is no JSON is answered: %v, %v", answer, err)
	}
}

// TestURLWithABareMark: a "?" without a query may have been given to the sender, or
// been added by a proxy.
func TestURLWithABareMark(t *testing.T) {
	p := signedHex(func(s *Scheme) { s.Content = "{url}.{body}" })
	p.Identity.ID = []string{"{signed_sha256}"}
	v := compiledProvider(t, p)
	for signed, want := range map[string]Reason{"https://a.example/x?": "", "https://a.example/x": "", "https://a.example/x??": WrongSignature} {
		r := signedBody(signed+".x", "x")
		r.URL = "https://a.example/x?"
		if _, err := v.Verify(r, keysOf(testSecret), now); reasonOf(t, err) != want {
			t.Errorf("%s: %v", signed, err)
		}
	}
}
