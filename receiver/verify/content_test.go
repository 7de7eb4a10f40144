package verify

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contentful signs the headers that it names (https://github.com/contentful/node-apps-toolkit).
var contentful = Provider{
	Name: "contentful-like",
	Schemes: []Scheme{{
		Name: "request", Algorithm: HMACSHA256, Content: "{method}\n{request_uri}\n{signed_headers}\n{body}",
		Signature: Signature{From: []Location{{Header: "x-contentful-signature"}}, Encoding: Hex},
		SignedHeaders: &SignedHeaders{
			From:     Location{Header: "x-contentful-signed-headers"},
			Required: []string{"x-contentful-signed-headers", "X-Contentful-Timestamp"},
		},
		Timestamp: &Timestamp{From: &Location{Header: "x-contentful-timestamp"}, Unit: Milliseconds, ToleranceSeconds: 30},
	}},
	Identity: Identity{ID: []string{"{body_sha256}"}, Type: []string{"{header:X-Contentful-Topic}"}},
}

const contentfulNames = "x-contentful-signed-headers,x-contentful-timestamp"

// contentfulRequest signs what the names say.
func contentfulRequest(names, signedHeaders string, more ...string) *Request {
	const address = "https://hooks.example.com/cms/c%20d?a=%7B&b"
	signed := "POST\n/cms/c%20d?a=%7B&b\n" + signedHeaders + "\n" + testBody
	pairs := append([]string{
		"x-contentful-signature", hexOf(hmacOf(testSecret, signed)), "x-contentful-signed-headers", names, "x-contentful-timestamp", "1700000000123",
	}, more...)
	r := post(testBody, pairs...)
	r.URL, r.RawQuery = address, "a=%7B&b"
	return r
}

func TestSignedHeaders(t *testing.T) {
	v := compiledProvider(t, contentful)
	canonical := func(names, more string) string {
		return more + "x-contentful-signed-headers:" + names + ";x-contentful-timestamp:1700000000123"
	}
	upper := "X-Contentful-Timestamp , b ,x-contentful-signed-headers"
	many := contentfulNames + strings.Repeat(",a", maxSignedHeaders-1)
	for name, test := range map[string]struct {
		request *Request
		reason  Reason
	}{
		"as signed":               {contentfulRequest(contentfulNames, canonical(contentfulNames, "")), ""},
		"order, case, space":      {contentfulRequest(upper, canonical(upper, "b:2;"), "B", "2"), ""},
		"an empty header":         {contentfulRequest(upper, canonical(upper, "b:;"), "B", ""), ""},
		"another value":           {contentfulRequest(upper, canonical(upper, "b:2;"), "B", "3"), WrongSignature},
		"no such header":          {contentfulRequest(upper, canonical(upper, "b:;")), PreconditionFailed},
		"a header twice":          {contentfulRequest(upper, canonical(upper, "b:2;"), "B", "2", "B", "2"), PreconditionFailed},
		"a name twice":            {contentfulRequest(contentfulNames+",b,B", canonical("", ""), "B", "2"), PreconditionFailed},
		"no name":                 {contentfulRequest(contentfulNames+",", canonical(contentfulNames+",", "")), PreconditionFailed},
		"no header's name":        {contentfulRequest(contentfulNames+",a b", canonical("", "")), PreconditionFailed},
		"one that folds to ASCII": {contentfulRequest(contentfulNames+",\u212a", canonical("", ""), "K", "1"), PreconditionFailed},
		"host":                    {contentfulRequest(contentfulNames+",host", canonical("", "")), PreconditionFailed},
		"too many":                {contentfulRequest(many, canonical(many, "")), PreconditionFailed},
		"the time is not signed":  {contentfulRequest("x-contentful-signed-headers", canonical("", "")), PreconditionFailed},
		"the list is missing":     {contentfulRequest("", canonical("", "")), PreconditionFailed},
		"two lists":               {contentfulRequest(contentfulNames, "", "x-contentful-signed-headers", "x"), DuplicateHeader},
	} {
		_, err := v.Verify(test.request, keysOf(testSecret), now)
		if reason := reasonOf(t, err); reason != test.reason {
			t.Errorf("%s: %v, want %q", name, err, test.reason)
		}
	}
	r := contentfulRequest(contentfulNames, canonical(contentfulNames, ""))
	r.URL = ""
	if _, err := v.Verify(r, keysOf(testSecret), now); reasonOf(t, err) != NoPublicURL || !v.NeedsURL() {
		t.Errorf("without a URL: %v", err)
	}
	if diff := cmp.Diff([]string{"request: the event type (header X-Contentful-Topic)"}, v.Unauthenticated()); diff != "" {
		t.Error(diff)
	}
}

func TestSignedHeadersErrors(t *testing.T) {
	for want, change := range map[string]func(*Scheme){
		"is not part of what is signed": func(s *Scheme) { s.SignedHeaders.Required = nil },
		"if, and only if":               func(s *Scheme) { s.SignedHeaders = nil },
		"can't be the name of a header": func(s *Scheme) { s.SignedHeaders.Required = []string{"a b"} },
		"exactly one of header":         func(s *Scheme) { s.SignedHeaders.From = Location{} },
		"contains {signed_headers} if":  func(s *Scheme) { s.Content = "{header:x-contentful-timestamp}{body}" },
	} {
		p := contentful
		p.Schemes = []Scheme{contentful.Schemes[0]}
		headers := *contentful.Schemes[0].SignedHeaders
		p.Schemes[0].SignedHeaders = &headers
		change(&p.Schemes[0])
		if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestRequestURI(t *testing.T) {
	for address, want := range map[string]string{
		"https://h":               "/",
		"https://h/":              "/",
		"https://h?a=b":           "/?a=b",
		"https://h:1/a%2Fb?c=%7B": "/a%2Fb?c=%7B",
		"https://h/a#f":           "/a",
		"https://h/a//b/?":        "/a//b/?",
		"https://h/?u=x://y/z":    "/?u=x://y/z",
		"h/a":                     "/",
	} {
		if got := requestURI(address); got != want {
			t.Errorf("of %s: %s, want %s", address, got, want)
		}
	}
}

func TestReservedDecoded(t *testing.T) {
	for address, want := range map[string]string{
		"https://h/a%3a%2F%3F%40%21%24%27%28%29%2a%2C%3B?q=%3F": "https://h/a:/?@!$'()*,;?q=?",
		"https://h/%20%25%26%3D%2B%7B%":                         "https://h/%20%25%26%3D%2B%7B%",
		"https://h/%253A%25%33A":                                "https://h/%253A%25%33A",
		"https://h/%3%3A":                                       "https://h/%3:",
	} {
		if got := URLReservedDecoded.spell(address); got != want {
			t.Errorf("%s is spelt %s, want %s", address, got, want)
		}
	}
}

// snsLike signs members of the body
// (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
func snsLike() Provider {
	return Provider{
		Name: "sns-like",
		Schemes: []Scheme{{
			Name: "v2", Algorithm: HMACSHA256, Content: "{members:Message,MessageId,Subject,Timestamp,Type}",
			Signature: Signature{From: []Location{{JSON: "/Signature"}}, Encoding: Hex},
			Timestamp: &Timestamp{From: &Location{JSON: "/Timestamp"}, Unit: RFC3339, ToleranceSeconds: 3600},
		}},
		Identity: Identity{ID: []string{"{json:/MessageId}"}, Type: []string{"{json:/Message|json:/detail-type}", "{json:/Type}", "{json:/Other}"}},
	}
}

func TestMembers(t *testing.T) {
	v := compiledProvider(t, snsLike())
	const time = "2023-11-14T22:13:20.000Z"
	body := func(signed, members string) *Request {
		return post(`{"Signature":"` + hexOf(hmacOf(testSecret, signed)) + `",` + members + `,"Timestamp":"` + time + `"}`)
	}
	const id = `"MessageId":"1"`
	plain := "Message\nhi\nMessageId\n1\nTimestamp\n" + time + "\n"
	for name, test := range map[string]struct {
		request *Request
		reason  Reason
	}{
		"as signed":                     {body(plain, `"Message":"hi",`+id), ""},
		"in another order":              {body(plain, id+`,"Message":"hi"`), ""},
		"with escapes":                  {body(plain, `"Mess\u0061ge":"h\u0069",`+id), ""},
		"beyond ASCII":                  {body("Message\n😊\nMessageId\n1\nSubject\nÜber\nTimestamp\n"+time+"\n", `"Message":"\ud83d\ude0a","Subject":"Über",`+id), ""},
		"with all":                      {body("Message\nhi\nMessageId\n1\nSubject\ns\nTimestamp\n"+time+"\nType\nt\n", `"Type":"t","Message":"hi","Subject":"s",`+id), ""},
		"an empty member is there":      {body("Message\nhi\nMessageId\n1\nSubject\n\nTimestamp\n"+time+"\n", `"Message":"hi","Subject":"",`+id), ""},
		"null is not there":             {body(plain, `"Message":"hi","Subject":null,`+id), ""},
		"one that isn't signed":         {body(plain, `"Message":"hi","UnsubscribeURL":"x",`+id), ""},
		"a number":                      {body("Message\n1\nMessageId\n1\nTimestamp\n"+time+"\n", `"Message":1,`+id), ""},
		"one more that is signed":       {body(plain, `"Message":"hi","Subject":"s",`+id), WrongSignature},
		"one less":                      {body(plain, id), WrongSignature},
		"several lines":                 {body("Message\na\nb\nMessageId\n1\nTimestamp\n"+time+"\n", `"Message":"a\nb",`+id), ""},
		"lines that pass for members":   {body("Message\nhi\nMessageId\n1\nSubject\ns\nTimestamp\n"+time+"\n", `"Message":"hi","MessageId":"1\nSubject\ns"`), MalformedBody},
		"a member twice":                {body(plain, `"Message":"other","Message":"hi",`+id), MalformedBody},
		"a member twice, escaped":       {body(plain, `"Mess\u0061ge":"other","Message":"hi",`+id), MalformedBody},
		"a member in other case":        {body(plain, `"Message":"hi","message":"other",`+id), MalformedBody},
		"another case alone":            {body(plain, `"message":"hi",`+id), MalformedBody},
		"another case of one not there": {body(plain, `"Message":"hi","subject":"other",`+id), MalformedBody},
		"an object":                     {body(plain, `"Message":{"a":1},`+id), MalformedBody},
		"below":                         {body(plain, `"x":{"Message":"hi"},`+id), WrongSignature},
	} {
		verdict, err := v.Verify(test.request, keysOf(testSecret), now)
		if reason := reasonOf(t, err); reason != test.reason {
			t.Errorf("%s: %v, want %q", name, err, test.reason)
		}
		if event, identifyErr := v.Identify(test.request, verdict); err == nil && (identifyErr != nil || event.ID != "1") {
			t.Errorf("%s: %+v, %v", name, event, identifyErr)
		}
	}
	want := []string{"v2: the body, but for JSON member /Message, JSON member /MessageId, JSON member /Subject, JSON member /Timestamp, " +
		"JSON member /Type; the event type (JSON member /Other)"}
	if diff := cmp.Diff(want, v.Unauthenticated()); diff != "" {
		t.Error(diff)
	}
	if p := snsLike(); !p.IDCovered() {
		t.Error("the id is signed, and said not to be")
	}
}

// TestMembersMoved: the members after the first one can be said to be lines of it;
// then they are missing.
func TestMembersMoved(t *testing.T) {
	v := compiledProvider(t, snsLike())
	signed := "Message\nhi\nMessageId\n1\nTimestamp\n2023-11-14T22:13:20.000Z\n"
	r := post(`{"Signature":"` + hexOf(hmacOf(testSecret, signed)) + `","Message":"hi\nMessageId\n1","Timestamp":"2023-11-14T22:13:20.000Z"}`)
	verdict, err := v.Verify(r, keysOf(testSecret), now)
	if err == nil {
		_, err = v.Identify(r, verdict)
	}
	if reasonOf(t, err) != MissingID {
		t.Error(err)
	}
}

// TestNoMembers: a body without any of the members is not a signed nothing.
func TestNoMembers(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `{"a":1}`, `{"Message":null}`, `"Message"`, ``, `{`} {
		if text, rejection := appendMembers([]byte("x"), []string{"Message"}, post(body)); rejection == nil || rejection.Reason != MalformedBody {
			t.Errorf("%s: %q, %v", body, text, rejection)
		}
	}
}

func TestMembersErrors(t *testing.T) {
	for content, want := range map[string]string{
		"{members}":       "needs a name",
		"{members:}":      "needs a name",
		"{members:a,}":    "needs names",
		"{members:a,b,A}": "names A twice",
		"{members:a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q}": "at most 16",
	} {
		p := snsLike()
		p.Schemes[0].Content = content
		if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}

// TestParameterInContent: what an endpoint says of itself can be part of what is
// signed; without it nothing is accepted.
func TestParameterInContent(t *testing.T) {
	p := githubLike
	p.Schemes = []Scheme{githubLike.Schemes[0]}
	p.Schemes[0].Content = "{param:webhook_id}|{body}"
	if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), "not a parameter") {
		t.Errorf("a parameter that isn't declared: %v", err)
	}
	p.Parameters = []Parameter{{Name: "webhook_id", Required: true}}
	v := compiledProvider(t, p)
	r := post("b", "X-Hub-Signature-256", "sha256="+hexOf(hmacOf(testSecret, "w1|b")))
	for name, test := range map[string]struct {
		parameters Parameters
		reason     Reason
	}{
		"given":      {parametersOf("webhook_id", "w1"), ""},
		"the first":  {parametersOf("webhook_id", "w1", "webhook_id", "w2"), ""},
		"the second": {parametersOf("webhook_id", "w2", "webhook_id", "w1"), WrongSignature},
		"missing":    {nil, NoUsableKey},
	} {
		m := keysOf(testSecret)
		m.Parameters = test.parameters
		if _, err := v.Verify(r, m, now); reasonOf(t, err) != test.reason {
			t.Errorf("%s: %v, want %q", name, err, test.reason)
		}
	}
}

func TestParameterErrors(t *testing.T) {
	many := make([]Parameter, maxParameters+1)
	for want, parameters := range map[string][]Parameter{
		"name is missing":  {{}},
		"must not contain": {{Name: "a}b"}},
		"occurs twice":     {{Name: "a"}, {Name: "a"}},
		"at most 16":       many,
	} {
		p := githubLike
		p.Parameters = parameters
		if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
