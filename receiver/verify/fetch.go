package verify

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"sallyport.dev/sallyport/receiver/verify/document"
	"sallyport.dev/sallyport/receiver/verify/keymaterial"
)

// MaxFetchBytes bounds the documents that are given to FetchSource.Keys. The
// sets of large identity providers, with certificates, have about 20 KiB.
const MaxFetchBytes = 256 << 10

// maxKeyBytes bounds what is kept of a document: it is part of a route.
const maxKeyBytes = 32 << 10

// FetchSource is a document in which a sender publishes its keys. Values can be
// compared.
type FetchSource struct {
	// URL is where to get it: https, without a user.
	URL string
	// JSON is a pointer to the text that is the key; empty: the document is it.
	JSON string
	// Algorithm is what the key is for.
	Algorithm Algorithm
}

// FetchURLs are the documents that the provider's schemes need in
// Material.Fetched, without duplicates. The error names parameters that are
// missing or unsuitable, never their values.
func (p Provider) FetchURLs(parameters Parameters) ([]FetchSource, error) {
	var (
		sources []FetchSource
		errs    []error
	)
	for i := range p.Schemes {
		s := &p.Schemes[i]
		source := FetchSource{Algorithm: s.Algorithm}
		switch {
		case s.KeySource == nil || s.KeySource.Certificate != nil:
			continue
		case s.KeySource.PublicKey != nil:
			source.URL, source.JSON = s.KeySource.PublicKey.URL, s.KeySource.PublicKey.JSON
		default:
			var err error
			if source.URL, err = expandURL(s.KeySource.JWKSURL, parameters); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		if !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	return sources, errors.Join(errs...)
}

// Keys checks a document that was fetched, and returns what belongs into
// Material.Fetched under the source's URL: the PEM public key, or the JWK Set
// without what is of no use here. Equal keys give equal bytes.
func (f FetchSource) Keys(document []byte) ([]byte, error) {
	if len(document) > MaxFetchBytes {
		return nil, fmt.Errorf("the document is longer than %d bytes", MaxFetchBytes)
	}
	if f.JSON != "" {
		var err error
		if document, err = textOf(f.JSON, document); err != nil {
			return nil, err
		}
	}
	keys, err := f.reduce(bytes.TrimSpace(document))
	if err == nil && len(keys) > maxKeyBytes {
		err = fmt.Errorf("the keys are longer than %d bytes", maxKeyBytes)
	}
	return keys, err
}

// textOf is the text of a JSON member.
func textOf(path string, text []byte) ([]byte, error) {
	p, err := document.ParsePointer(path)
	if err != nil {
		return nil, err
	}
	if !document.Valid(text) {
		return nil, errors.New("the document must be JSON")
	}
	member, ok := p.Text(text)
	if !ok || member == "" {
		return nil, fmt.Errorf("the document must have a text at %s", path)
	}
	return []byte(member), nil
}

func (f FetchSource) reduce(document []byte) ([]byte, error) {
	if f.Algorithm != JSONWebToken {
		parse := algorithms[f.Algorithm]
		if parse == nil {
			return nil, fmt.Errorf("%q is not an algorithm", f.Algorithm)
		}
		_, err := parse(document)
		return document, err
	}
	keys, err := keymaterial.PublicKeys(document)
	if err != nil || document[0] != '{' {
		return document, err
	}
	return json.Marshal(jose.JSONWebKeySet{Keys: keys})
}

// fetched is the document of the source, if it was fetched.
func (k *compiledSource) fetched(m *Material) ([]byte, *Rejection) {
	address, err := expandURL(k.url, m.Parameters)
	document := m.Fetched[address]
	if err != nil || len(document) == 0 {
		return nil, reject(NoUsableKey, "the receiver does not have the keys that the sender publishes")
	}
	return document, nil
}

// In URLs there may be {param:x}. Its value must not change what the rest of
// the URL means.
var (
	urlParameter = regexp.MustCompile(`\{param:([^{}]+)\}`)
	urlValue     = regexp.MustCompile(`\A[A-Za-z0-9_~-][A-Za-z0-9._~-]*\z`)
)

// expandURL puts parameters into a URL. A parameter must have one value.
func expandURL(text string, parameters Parameters) (string, error) {
	var err error
	expanded := urlParameter.ReplaceAllStringFunc(text, func(variable string) string {
		name := urlParameter.FindStringSubmatch(variable)[1]
		values := parameters[name]
		if len(values) != 1 || len(values[0].Reveal()) > maxName || !urlValue.Match(values[0].Reveal()) {
			err = cmp.Or(err, fmt.Errorf("the parameter %s must have one value of letters, digits, '.', '_', '~' and '-': it is part of a URL", name))
			return ""
		}
		return string(values[0].Reveal())
	})
	return expanded, err
}

// checkURL checks a URL of a provider, and returns the parameters in it.
func checkURL(text string) (parameters []string, err error) {
	const scheme = "https://"
	for _, found := range urlParameter.FindAllStringSubmatch(text, -1) {
		parameters = append(parameters, found[1])
	}
	plain := urlParameter.ReplaceAllString(text, "x")
	u, err := url.Parse(plain)
	host, _, _ := strings.Cut(strings.TrimPrefix(text, scheme), "/")
	switch {
	case len(text) > maxTemplate:
		err = fmt.Errorf("is longer than %d bytes", maxTemplate)
	case err != nil || !strings.HasPrefix(text, scheme) || u.Hostname() == "" || u.User != nil || strings.ContainsAny(plain, "{}#"):
		err = errors.New("must be an https URL, without a user and without a fragment, in which {param:x} is the only variable")
	case strings.Contains(host, "{"):
		err = errors.New("may have {param:x} only behind the host: who chooses the host chooses the keys")
	}
	return parameters, err
}
