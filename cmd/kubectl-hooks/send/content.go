package send

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"sallyport.dev/sallyport/cmd/internal/cli"
)

// content fills in method, body, headers and type: those of the flags, else of an
// example of the provider.
func (c *Command) content(options *Options) error {
	given, err := headersOf(c.headers)
	if err != nil {
		return err
	}
	sample, found := Sample(c.Provider, c.scheme)
	switch {
	case c.bodyFile != "":
		if options.Body, err = c.readInput("--body", c.bodyFile, maxInput); err != nil {
			return err
		}
		options.Headers = http.Header{}
	case found:
		options.Body, options.Headers = sample.Body, sample.Header
		options.Method = cmp.Or(c.method, sample.Method)
		if sample.Query != "" && !strings.ContainsAny(options.URL, "?#") {
			options.URL += "?" + sample.Query
		}
	default:
		return fmt.Errorf("the provider %s has no example of an event: give a body by --body", c.Provider.Name)
	}
	if options.EventType == "" && c.bodyFile == "" {
		options.EventType = sample.EventType
	}
	maps.Copy(options.Headers, given)
	if options.Headers.Get("User-Agent") == "" {
		options.Headers.Set("User-Agent", userAgent)
	}
	return nil
}

// headerName is the grammar of names of headers (RFC 9110 §5.6.2).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// headersOf reads "name=value" and "name: value".
func headersOf(texts []string) (http.Header, error) {
	headers := http.Header{}
	for _, text := range texts {
		at := strings.IndexAny(text, "=:")
		if at < 0 {
			return nil, cli.Usagef("--header=%s is no header: write name=value", text)
		}
		name, value := strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+1:])
		if !headerName.MatchString(name) || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, cli.Usagef("--header=%s is no header: its name, or its value, has characters that headers don't have", text)
		}
		headers.Add(name, value)
	}
	return headers, nil
}
