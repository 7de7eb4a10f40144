package verify

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// handshakes compiles the handshakes of a provider whose schemes and ids are made
// ready.
func (c *compiler) handshakes(list []Handshake, v *Verifier) []compiledHandshake {
	c.check(len(list) <= maxHandshakes, "handshakes", "there may be at most %d", maxHandshakes)
	handshakes := make([]compiledHandshake, len(list))
	for i := range list {
		field := fmt.Sprintf("handshakes[%d]", i)
		handshakes[i] = c.handshake(field, &list[i])
		c.checkAnswer(field+".answer", &handshakes[i], v)
		c.checkProbe(field, &list[i], &handshakes[i])
		events := list[i].Method == http.MethodPost || slices.ContainsFunc(v.schemes, func(s compiledScheme) bool { return s.delivers(list[i].Method) })
		c.check(handshakes[i].probe || !events || len(list[i].Match) > 0, field+".match", "is missing: every event would be taken for the handshake")
		for _, other := range list[:i] {
			c.check(other.Name != list[i].Name, field+".name", "%q is the name of another handshake, too", other.Name)
		}
	}
	return handshakes
}

// checkProbe checks that a probe gives nothing away: everybody gets the same answer.
func (c *compiler) checkProbe(field string, in *Handshake, h *compiledHandshake) {
	h.probe = in.Kind == Probe
	c.check(h.probe || in.Kind == "" || in.Kind == Challenge, field+".kind", "is %q: it must be Challenge or Probe", in.Kind)
	if !h.probe {
		return
	}
	c.check(in.Method == http.MethodGet || in.Method == http.MethodHead, field+".method", "is %q: a probe is a GET or a HEAD", in.Method)
	c.check(in.Unsigned, field+".unsigned", "is not set: a request that has a signature is no probe")
	c.check(len(in.Guard) == 0, field+".guard", "a probe is answered to everybody: say in match which requests are meant")
	c.check(len(h.answer.variables()) == 0, field+".answer", "must be without variables: a probe only asks whether the URL exists")
}

func (c *compiler) handshake(field string, in *Handshake) compiledHandshake {
	claims := c.tokens && !in.Unsigned
	h := compiledHandshake{
		name:     in.Name,
		method:   in.Method,
		match:    c.conditions(field+".match", in.Match, claims),
		guard:    c.conditions(field+".guard", in.Guard, claims),
		unsigned: in.Unsigned,
		answer:   c.answer(field+".answer", in.Method, &in.Answer),
	}
	c.fail(field, text("name", in.Name))
	methods := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions}
	c.check(slices.Contains(methods, in.Method), field+".method", "is %q: it must be GET, HEAD, POST or OPTIONS", in.Method)
	if in.Confirm != nil {
		c.check(!in.Unsigned, field+".confirm", "needs a signed handshake: anybody could have the receiver send requests")
		from := c.place(field+".confirm.from", &in.Confirm.From)
		urls := c.urls(field+".confirm", in.Confirm.HostPattern, in.Confirm.PathPattern, in.Confirm.QueryPattern)
		h.confirm = &compiledConfirmation{from: *from, urls: urls}
	}
	return h
}

// answer compiles what a handshake is answered.
func (c *compiler) answer(field, method string, in *HandshakeAnswer) compiledAnswer {
	a := compiledAnswer{status: in.Status, object: c.members(field+".json", in.JSON)}
	if in.Body != "" {
		a.body = c.template(field+".body", in.Body, forAnswer)
	}
	filled := in.Body != "" || len(in.JSON) > 0
	c.check(in.Status >= 200 && in.Status <= 299, field+".status", "must be from 200 to 299")
	c.check(in.Body == "" || len(in.JSON) == 0, field, "set at most one of body and json")
	bodiless := in.Status == http.StatusNoContent || in.Status == http.StatusResetContent || method == http.MethodHead
	c.check(!bodiless || !filled, field, "an answer to HEAD, and one with the status 204 or 205, has no body")
	if filled {
		a.contentType = c.contentType(field+".contentType", in, a.body)
	}
	for i, header := range in.Headers {
		a.headers = append(a.headers, c.answerHeader(fmt.Sprintf("%s.headers[%d]", field, i), header))
	}
	c.check(len(in.Headers) <= maxAnswerFields, field+".headers", "there may be at most %d", maxAnswerFields)
	return a
}

// contentType is the type of the body. Only types that a browser doesn't run are
// allowed: what is in the body, a stranger may have written.
func (c *compiler) contentType(field string, in *HandshakeAnswer, body template) string {
	const plain, object = "text/plain", "application/json"
	declared := in.ContentType
	switch {
	case declared == "" && len(in.JSON) > 0:
		declared = object
	case declared == "":
		declared = plain
	}
	name, _, err := mime.ParseMediaType(declared)
	c.check(err == nil && len(declared) <= maxName && (name == plain || name == object), field, "is %q: it must be %s or %s", declared, plain, object)
	c.check(len(in.JSON) == 0 || name == object, field, "must be %s: the answer is made by json", object)
	constant := len(body) == 1 && body[0].literal != ""
	c.check(name != object || len(in.JSON) > 0 || constant, field, "%s must be made by json: in body, what is echoed would not be quoted", object)
	return declared
}

// withheldHeaders are not for providers to set: they say where an answer begins
// and ends and what type it is, or are kept by browsers.
var withheldHeaders = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Location", "Set-Cookie", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

func (c *compiler) answerHeader(field string, in Field) compiledField {
	at, err := compilePlace(inHeader, in.Name)
	c.fail(field+".name", err)
	c.check(!slices.Contains(withheldHeaders, at.name), field+".name", "the header %s can't be set", at.name)
	f := compiledField{name: at.name, value: c.template(field+".value", in.Value, forAnswer)}
	for _, part := range f.value {
		c.check(clean(part.literal, maxTemplate), field+".value", "must not contain control characters")
	}
	return f
}

// members compiles the members of a JSON object.
func (c *compiler) members(field string, list []Field) []compiledField {
	c.check(len(list) <= maxAnswerFields, field, "there may be at most %d", maxAnswerFields)
	var members []compiledField
	for i, in := range list {
		field := fmt.Sprintf("%s[%d]", field, i)
		c.fail(field, text("name", in.Name))
		f := compiledField{name: in.Name, value: c.template(field+".value", in.Value, forAnswer)}
		if n, err := strconv.ParseInt(in.Value, 10, 64); err == nil && strconv.FormatInt(n, 10) == in.Value {
			f.number = in.Value
		}
		for _, other := range members {
			c.check(other.name != in.Name, field+".name", "%q occurs twice", in.Name)
		}
		members = append(members, f)
	}
	return members
}

// answering is the scheme that answers are signed by: the first one with an HMAC.
func answering(schemes []compiledScheme, sources []Scheme) *compiledScheme {
	for i := range schemes {
		switch sources[i].Algorithm {
		case HMACSHA1, HMACSHA256, HMACSHA512:
			return &schemes[i]
		}
	}
	return nil
}

// checkAnswer checks that a stranger can't make the receiver sign what would pass for
// an event, and that no answer contains a secret.
func (c *compiler) checkAnswer(field string, h *compiledHandshake, verifier *Verifier) {
	answering := verifier.answering
	for _, v := range h.answer.variables() {
		needsKey := v.mac != "" || v.name == varKeyID
		c.check(!needsKey || answering != nil, field, "%s needs a scheme with an HMAC, whose key it is", v)
		c.check(v.name != varKeyID || answering == nil || answering.keyed(), field, "{key_id} needs a scheme with keyID or pairs, whose secrets have ids")
		if v.mac != "" && h.unsigned && answering != nil {
			unproven := c.unproven(h, v, answering, verifier.schemes, verifier.ids)
			c.check(len(unproven) == 0, field, "anybody can have %s signed, and nothing keeps that from passing for an event of the scheme %s: "+
				"say in bodyFormat that events are JSON, and set a guard with a pattern for it that allows neither { nor [, such as [A-Za-z0-9_=.-]{1,128}",
				v.at, strings.Join(unproven, ", "))
		}
		at := slices.IndexFunc(c.parameters, func(p Parameter) bool { return p.Name == v.parameter })
		c.check(at < 0 || !c.parameters[at].Sensitive, field, "the parameter %s is secret and must not be answered", v.parameter)
	}
}

// signs reports whether the answer holds a MAC of what is in the request.
func (a *compiledAnswer) signs() bool {
	return slices.ContainsFunc(a.variables(), func(v variable) bool { return v.mac != "" })
}

// variables are all that the answer is made of.
func (a *compiledAnswer) variables() (list []variable) {
	templates := []template{a.body}
	for _, f := range slices.Concat(a.headers, a.object) {
		templates = append(templates, f.value)
	}
	for _, t := range templates {
		for _, part := range t {
			if part.literal == "" {
				list = append(list, part.variable)
			}
		}
	}
	return list
}
