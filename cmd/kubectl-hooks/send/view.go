package send

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

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
	"sallyport.dev/sallyport/provider"
)

// The algorithms that send the secret itself.
const (
	algorithmToken v1alpha1.SignatureAlgorithm = "Token"
	algorithmBasic v1alpha1.SignatureAlgorithm = "Basic"
)

// inserted stands before and behind what the shell inserts; no word has it.
const inserted = "\x00"

// redacted stands where a secret would be shown.
const redacted = "[redacted]"

// view shows a request without the secret. A signature is no secret, but with the
// algorithms Token and Basic the secret itself is sent.
type view struct {
	request  Request
	provider *v1alpha1.WebhookProvider
	scheme   *v1alpha1.SignatureScheme
	command  string   // prints the secret
	forms    []string // in which the secret may be in the request, the longest first
	basic    string   // the form that Basic has; empty: another algorithm
	single   bool     // command prints what is sent

	hider, quoter *strings.Replacer // put something else in the place of forms
}

func newView(request Request, provider *v1alpha1.WebhookProvider, k keys) *view {
	v := &view{request: request, provider: provider, scheme: schemeOf(provider, request.Scheme), command: k.command}
	if v.scheme.Algorithm == algorithmToken || v.scheme.Algorithm == algorithmBasic {
		v.findForms(k)
	}
	var hiding, quoting []string
	for _, form := range v.forms {
		hiding = append(hiding, form, redacted)
		quoting = append(quoting, form, inserted+v.variable(form)+inserted)
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
	return human.OneLine(fmt.Sprintf("%s, %s, signed as %s signs (%s)", text, human.Size(int64(len(v.request.Body))), name, v.scheme.Algorithm))
}

// headerLines are headers in the order of their names, one "name: value" each.
func headerLines(header http.Header) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			all = append(all, name+": "+value)
		}
	}
	return all
}

// sayRequest prints what is sent.
func (c *Command) sayRequest(v *view) {
	for _, line := range headerLines(v.request.Header) {
		c.printf("> %s\n", human.OneLine(v.hide(line)))
	}
	c.printf("> \n> %s\n\n", strings.ReplaceAll(v.hide(human.Readable(v.request.Body)), "\n", "\n> "))
}

// schemeOf is the scheme of a provider that has a name.
func schemeOf(provider *v1alpha1.WebhookProvider, name string) *v1alpha1.SignatureScheme {
	i := slices.IndexFunc(provider.Spec.Verify, func(s v1alpha1.SignatureScheme) bool { return s.Name == name })
	if i < 0 {
		return &v1alpha1.SignatureScheme{}
	}
	return &provider.Spec.Verify[i]
}
