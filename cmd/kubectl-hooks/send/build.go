package send

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// Options say which request to make. Provider and URL are needed.
type Options struct {
	// Provider is the sender.
	Provider *v1alpha1.WebhookProvider
	// Endpoint is where the request goes to: its parameters and its URL count. nil:
	// none.
	Endpoint *v1alpha1.WebhookEndpoint
	// URL is where to send the request; a query in it is sent, too.
	URL string
	// PublicURL is what schemes sign that sign the URL: the one that receivers hold
	// for theirs, without a query. Empty: status.url of the endpoint.
	PublicURL string
	// Secret is the entry of the endpoint's Secret as it is stored there: a newline
	// at its end and a JSON list of several secrets are understood.
	Secret secret.Value
	// PrivateKey is a private key in PEM (PKCS #8, PKCS #1 or SEC 1), for schemes
	// with public keys. Secret, if it is there, must hold the public key of it.
	PrivateKey []byte
	// Parameters are the sensitive parameters of the provider, which are entries of
	// the endpoint's Secret; the others are read from the endpoint.
	Parameters verify.Parameters
	// Scheme is the name of the scheme to sign with; empty: the first that can be
	// signed with what there is.
	Scheme string
	// Body is the body. Its type is that of Headers, or what it looks like.
	Body []byte
	// EventID is the id that the event gets; empty: what stands in the request, or
	// else a fresh one. EventType likewise; empty: what stands in the request.
	EventID, EventType string
	// Headers are others to send. Those that hold signatures are overwritten.
	Headers http.Header
	// Method is the HTTP method; empty: POST, or another one if the scheme delivers by
	// no POST.
	Method string
	// Now is the time that the signature names.
	Now time.Time
}

// Request is a request that is signed and ready to be sent.
type Request struct {
	// Method, URL, Header and Body are what to send.
	Method, URL string
	Header      http.Header
	Body        []byte
	// Scheme is the name of the scheme that it is signed with.
	Scheme string
	// EventID and EventType are what a receiver will read in it. The type is empty
	// if the request has none.
	EventID, EventType string
}

// Build makes a request and signs it as the provider does. An error says what to
// do next; one about signing is a verify.ErrCannotSign.
func Build(o Options) (Request, error) {
	sender := provider.Compile(o.Provider)
	if sender.Problem != "" {
		return Request{}, fmt.Errorf("the provider %s can't serve, so nothing that it sends is accepted: mend it first: %s", o.Provider.Name, sender.Problem)
	}
	material, err := o.material()
	if err != nil {
		return Request{}, err
	}
	address, request, err := o.unsigned()
	if err != nil {
		return Request{}, err
	}
	signed, err := sender.Verifier.Sign(request, material, verify.SignOptions{
		Scheme:     o.Scheme,
		PrivateKey: secret.New(o.PrivateKey),
		Now:        o.Now,
		EventID:    o.EventID,
		FreshID:    freshID(),
		EventType:  o.EventType,
	})
	if err != nil {
		return Request{}, o.advise(err)
	}
	return Request{
		Method:    request.Method,
		URL:       withQuery(address, request.RawQuery),
		Header:    request.Header,
		Body:      request.Body,
		Scheme:    signed.Scheme,
		EventID:   signed.Event.ID,
		EventType: signed.Event.Type,
	}, nil
}

// material is what the endpoint verifies with.
func (o *Options) material() (*verify.Material, error) {
	material := &verify.Material{Parameters: verify.Parameters{}}
	maps.Copy(material.Parameters, o.Parameters)
	if o.Endpoint != nil {
		for _, given := range o.Endpoint.Spec.Parameters {
			for _, value := range given.Values {
				material.Parameters[given.Name] = append(material.Parameters[given.Name], secret.New([]byte(value)))
			}
		}
	}
	if o.Secret.Empty() {
		return material, nil
	}
	var err error
	if material.Secrets, err = provider.Secrets(o.Secret.Reveal()); err != nil {
		return nil, fmt.Errorf("the secret can't be used: %w", err)
	}
	return material, nil
}

// unsigned is the request without a signature, and the URL to send it to,
// without a query.
func (o *Options) unsigned() (address string, request *verify.Request, err error) {
	target, err := url.Parse(o.URL)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return "", nil, errors.New("the URL to send to is not valid: give it as https://host/path")
	}
	query := target.RawQuery
	public, publicQuery, _ := strings.Cut(o.publicURL(), "?")
	if query == "" {
		query = publicQuery
	}
	request = &verify.Request{
		Method:   cmp.Or(o.Method, o.method()),
		Header:   o.header(),
		RawQuery: query,
		Body:     o.Body,
	}
	if public != "" {
		request.URL = withQuery(public, query)
	}
	address, _, _ = strings.Cut(o.URL, "#")
	address, _, _ = strings.Cut(address, "?")
	return address, request, nil
}

// method is that by which the scheme delivers, POST if it may be.
func (o *Options) method() string {
	for _, scheme := range o.Provider.Spec.Verify {
		if scheme.Name == o.Scheme && len(scheme.Methods) > 0 && !slices.Contains(scheme.Methods, http.MethodPost) {
			return string(scheme.Methods[0])
		}
	}
	return http.MethodPost
}

// publicURL is what receivers hold for the URL of the endpoint; empty: they hold
// none. The status has only a path until the manager is told its public URL.
func (o *Options) publicURL() string {
	public := o.PublicURL
	if public == "" && o.Endpoint != nil {
		public = o.Endpoint.Status.URL
	}
	if !strings.Contains(public, "://") {
		return ""
	}
	return public
}

func withQuery(address, query string) string {
	if query == "" {
		return address
	}
	return address + "?" + query
}

const formType = "application/x-www-form-urlencoded"

// header is the header before it is signed.
func (o *Options) header() http.Header {
	header := http.Header{}
	for name, values := range o.Headers {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	switch {
	case header.Get("Content-Type") != "" || len(o.Body) == 0:
	case json.Valid(o.Body):
		header.Set("Content-Type", "application/json")
	case isForm(o.Body):
		header.Set("Content-Type", formType)
	}
	return header
}

// isForm reports whether a body looks like a form: names and values, and none of
// the characters that stand in text and XML but not in a form.
func isForm(body []byte) bool {
	_, err := url.ParseQuery(string(body))
	return err == nil && bytes.Contains(body, []byte("=")) && !bytes.ContainsAny(body, " \t\r\n<>{}\"")
}

// freshID is an id that no other event has: a random UUID (RFC 9562 §5.4).
func freshID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// advice is an error that speaks of the provider and of flags.
type advice struct {
	text  string
	cause error
}

func (a *advice) Error() string { return a.text }
func (a *advice) Unwrap() error { return a.cause }

// advise says in the words of the command line what to do about an error of Sign.
func (o *Options) advise(err error) error {
	name := cmp.Or(o.Provider.Spec.DisplayName, o.Provider.Name)
	needsSecret, needsKey := errors.Is(err, verify.ErrNeedsSecret), errors.Is(err, verify.ErrNeedsPrivateKey)
	switch {
	case needsKey && !needsSecret && len(o.PrivateKey) == 0:
		return &advice{name + " signs with a private key that only it has: make a key pair, put its public key into the endpoint's Secret, " +
			"and pass the private key with --private-key", err}
	case needsSecret && !needsKey && o.Secret.Empty():
		return &advice{name + " signs with a secret, and there is none: name a Secret in spec.secretRef of the endpoint, " +
			"or pass the secret with --secret-file", err}
	case errors.Is(err, verify.ErrNeedsURL):
		return &advice{name + " signs the public URL of the endpoint, which is not known: start the manager with its public URL, " +
			"without which receivers accept nothing from this provider, or pass --public-url", err}
	case errors.Is(err, verify.ErrSenderOnly):
		return fmt.Errorf("%s: %w; to try the endpoint, have the sender send a test event, or use a provider that verifies with a secret", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
