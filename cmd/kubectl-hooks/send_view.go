package main

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/send"
	"sallyport.dev/sallyport/provider"
)

// The algorithms that send the secret itself.
const (
	algorithmToken v1alpha1.SignatureAlgorithm = "Token"
	algorithmBasic v1alpha1.SignatureAlgorithm = "Basic"
)

// mark stands around what the shell is to insert; no word has it.
const mark = "\x00"

// redacted stands where a secret would be shown.
const redacted = "[redacted]"

// view shows a request without the secret. A signature is no secret, but with the
// algorithms Token and Basic the secret itself is sent.
type view struct {
	request  send.Request
	provider *v1alpha1.WebhookProvider
	scheme   *v1alpha1.SignatureScheme
	command  string   // prints the secret
	forms    []string // in which the secret may be in the request, the longest first
	basic    string   // the form that Basic has; empty: another algorithm
	single   bool     // command prints what is sent

	hider, quoter *strings.Replacer // put something else in the place of forms
}

func newView(request send.Request, provider *v1alpha1.WebhookProvider, k keys) *view {
	v := &view{request: request, provider: provider, scheme: schemeOf(provider, request.Scheme), command: k.command}
	if v.scheme.Algorithm == algorithmToken || v.scheme.Algorithm == algorithmBasic {
		v.findForms(k)
	}
	var hiding, quoting []string
	for _, form := range v.forms {
		hiding = append(hiding, form, redacted)
		quoting = append(quoting, form, mark+v.variable(form)+mark)
	}
	v.hider, v.quoter = strings.NewReplacer(hiding...), strings.NewReplacer(quoting...)
	return v
}

// findForms notes how the secret may be written in the request.
func (v *view) findForms(k keys) {
	values, err := provider.Secrets(k.value.Reveal())
	if err != nil {
		return // then nothing was signed with it
	}
	v.single = len(values) == 1 && v.command != ""
	for _, value := range values {
		text := string(value.Reveal())
		v.forms = append(v.forms, text, url.QueryEscape(text), url.PathEscape(text), jsonText(text))
		if v.scheme.Algorithm == algorithmBasic {
			encoded := base64.StdEncoding.EncodeToString([]byte(text))
			v.forms = append(v.forms, encoded)
			v.basic = cmp.Or(v.basic, encoded)
		}
	}
	slices.SortFunc(v.forms, func(x, y string) int { return cmp.Compare(len(y), len(x)) })
	v.forms = slices.DeleteFunc(slices.Compact(v.forms), func(form string) bool { return form == "" })
}

// jsonText is a text as it stands in JSON, without the quotes.
func jsonText(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return string(encoded[1 : len(encoded)-1])
}

// hide takes the secret out of a text.
func (v *view) hide(text string) string { return v.hider.Replace(text) }

// conceal takes the secret out of an error, which may have the URL.
func (v *view) conceal(err error) error {
	if text := err.Error(); v.hide(text) != text {
		return errors.New(v.hide(text))
	}
	return err
}

// url is where the request goes, without the secret.
func (v *view) url() string { return v.hide(v.request.URL) }

// summary says what is sent, in a line.
func (v *view) summary() string {
	text := "event " + v.request.EventID
	if v.request.EventType != "" {
		text += " of the type " + v.request.EventType
	}
	name := cmp.Or(v.provider.Spec.DisplayName, v.provider.Name)
	return oneLine(fmt.Sprintf("%s, %s, signed as %s signs (%s)", text, size(int64(len(v.request.Body))), name, v.scheme.Algorithm))
}

// headers are the headers of the request in order, one "name: value" each.
func headerLines(header http.Header) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			all = append(all, name+": "+value)
		}
	}
	return all
}

// sayRequest shows what is sent.
func (a *app) sayRequest(v *view) {
	for _, line := range headerLines(v.request.Header) {
		a.printf("> %s\n", oneLine(v.hide(line)))
	}
	a.printf("> \n> %s\n\n", strings.ReplaceAll(v.hide(readable(v.request.Body)), "\n", "\n> "))
}

// sayCurl prints the request as a command of curl.
func (a *app) sayCurl(v *view, o *sendOptions) error {
	a.printf("%s\n", v.curl())
	if until := v.validUntil(a.now()); !until.IsZero() {
		a.sayf("The signature names the time and is valid until %s.", until.Local().Format("15:04:05"))
	} else {
		a.sayf("The signature names no time and stays valid; sent twice, it is a duplicate.")
	}
	if len(v.forms) > 0 && !v.single {
		a.sayf("Write one of the secrets in the place of %s.", redacted)
	}
	if o.bodyFile == "-" || o.secretFile == "-" {
		a.sayf("What was read from standard input is part of the command.")
	}
	return nil
}

// validUntil is when the signature of a request that was made now ends; zero: never.
func (v *view) validUntil(now time.Time) time.Time {
	switch {
	case v.scheme.Timestamp != nil && v.scheme.Timestamp.Tolerance != nil:
		return now.Add(v.scheme.Timestamp.Tolerance.Duration)
	case v.scheme.JWT != nil && v.scheme.JWT.MaxAge != nil:
		return now.Add(v.scheme.JWT.MaxAge.Duration)
	}
	return time.Time{}
}

// curl is a command that sends the request. The secret is not in it, but how to
// get it.
func (v *view) curl() string {
	var command strings.Builder
	if len(v.forms) > 0 && v.single {
		command.WriteString(`SECRET="$(` + v.command + `)"` + "\n")
	}
	body, pipe := v.curlBody()
	command.WriteString(pipe + "curl --include --request " + v.request.Method)
	for _, line := range headerLines(v.request.Header) {
		command.WriteString(" \\\n  --header " + v.quote(line))
	}
	if v.request.Header.Get("Content-Type") == "" && len(v.request.Body) > 0 {
		command.WriteString(" \\\n  --header 'Content-Type:'") // else curl makes it a form
	}
	return command.String() + body + " \\\n  " + v.quote(v.request.URL)
}

// curlBody is how curl gets the body: as a word, or through a pipe if it is no text.
func (v *view) curlBody() (argument, pipe string) {
	switch body := v.request.Body; {
	case len(body) == 0:
		return "", ""
	case !utf8.Valid(body) || strings.ContainsRune(string(body), 0) || body[0] == '@':
		encoded := base64.StdEncoding.EncodeToString(body)
		return " \\\n  --data-binary @-", "echo " + encoded + " | base64 --decode | "
	default:
		return " \\\n  --data-binary " + v.quote(string(body)), ""
	}
}

// quote makes a word of a shell in which the secret is a variable.
func (v *view) quote(text string) string {
	parts := strings.Split(v.quoter.Replace(text), mark)
	for i := range parts {
		if i%2 == 0 && (parts[i] != "" || len(parts) == 1) {
			parts[i] = "'" + strings.ReplaceAll(parts[i], "'", `'\''`) + "'"
		}
	}
	return strings.Join(parts, "")
}

// variable is what stands for a form of the secret.
func (v *view) variable(form string) string {
	switch {
	case !v.single:
		return "'" + redacted + "'"
	case form == v.basic:
		return `"$(printf %s "$SECRET" | base64 | tr -d '\n')"`
	}
	return `"$SECRET"`
}

// said is what a receiver answers to an event, if the provider wants no other answer.
type said struct {
	Status    string `json:"status"` // accepted or duplicate
	Error     string `json:"error"`  // why it is refused
	RequestID string `json:"requestId"`
}

// sayAnswer tells the answer.
func (a *app) sayAnswer(answer send.Answer, all bool) {
	var told said
	if json.Unmarshal(answer.Body, &told) != nil {
		told = said{}
	}
	text := cmp.Or(told.Status, told.Error)
	line := fmt.Sprintf("%d %s in %s", answer.Status, http.StatusText(answer.Status), answer.Took.Round(time.Millisecond/10))
	if text != "" {
		line += ": " + text
	}
	a.printf("%s\n", oneLine(line))
	if all {
		for _, header := range headerLines(answer.Header) {
			a.printf("< %s\n", oneLine(header))
		}
	}
	switch {
	case all || text == "" && len(answer.Body) > 0:
		a.printf("%s\n", strings.TrimSpace(readable(answer.Body)))
	case told.RequestID != "":
		a.printf("request id %s\n", oneLine(told.RequestID))
	}
}
