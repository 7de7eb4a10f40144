package send

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"
)

// sayCurl prints the request as a command of curl.
func (c *Command) sayCurl(v *view) {
	c.printf("%s\n", v.curl())
	if until := v.validUntil(c.Now()); !until.IsZero() {
		c.sayf("The signature names the time and is valid until %s.", until.Local().Format("15:04:05"))
	} else {
		c.sayf("The signature names no time and stays valid; sent twice, it is a duplicate.")
	}
	if len(v.forms) > 0 && !v.single {
		c.sayf("Write one of the secrets in the place of %s.", redacted)
	}
	if c.bodyFile == "-" || c.secretFile == "-" {
		c.sayf("What was read from standard input is part of the command.")
	}
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

// curl is a command that sends the request. It has no secret, but says how to get it.
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
	parts := strings.Split(v.quoter.Replace(text), inserted)
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
