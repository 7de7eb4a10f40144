package send

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// maxInput bounds a body that is read from a file: more than any endpoint takes.
const maxInput = 64 << 20

// maxKeyFile bounds a file that holds a secret or a key.
const maxKeyFile = 1 << 20

// userAgent is what requests say of their sender, unless a flag says something else.
const userAgent = "kubectl-hooks"

// Command is one call of the command: from whom to whom, and the flags.
type Command struct {
	genericiooptions.IOStreams
	// Client reads the endpoint's Secret.
	Client client.Reader
	// Provider is the sender, and Endpoint is where it sends to.
	Provider *v1alpha1.WebhookProvider
	Endpoint *v1alpha1.WebhookEndpoint
	// Now is the clock.
	Now func() time.Time

	eventType, eventID string
	bodyFile           string
	headers            []string
	method             string
	url, publicURL     string
	scheme             string
	secretFile         string
	privateKeyFile     string
	timeout            time.Duration
	dryRun, show       bool
}

// AddFlags defines the flags.
func (c *Command) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.eventType, "type", "", "`type` of the event, for example invoice.paid")
	flags.StringVar(&c.eventID, "event-id", "", "`id` of the event; a fresh one by default. The same id twice is a duplicate")
	flags.StringVar(&c.bodyFile, "body", "", "`file` with the body; - reads it from standard input")
	flags.StringArrayVarP(&c.headers, "header", "H", nil, "another `header`, as name=value or name: value; several may be given")
	flags.StringVarP(&c.method, "method", "X", "", "HTTP `method`; that of the example by default, or POST")
	flags.StringVar(&c.url, "url", "", "`URL` to send to; by default that of the endpoint's status. Without a path, the endpoint's is added")
	flags.StringVar(&c.publicURL, "public-url", "", "`URL` that the provider signs, if it signs the URL; by default that of the endpoint's status")
	flags.StringVar(&c.scheme, "scheme", "", "`name` of the provider's scheme to sign by, where it has several")
	flags.StringVar(&c.secretFile, "secret-file", "", "`file` with the secret, instead of reading the endpoint's Secret; - reads it from standard input")
	flags.StringVar(&c.privateKeyFile, "private-key", "", "PEM `file` with the private key, for providers that sign with one")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long to wait for the answer")
	flags.BoolVar(&c.dryRun, "dry-run", false, "print the request as a command of curl, and send nothing")
	flags.BoolVar(&c.show, "show", false, "show what is sent, and all of the answer")
}

// Run signs the webhook and sends it, or prints it with --dry-run. An answer that is
// not 2xx is an error.
func (c *Command) Run(ctx context.Context) error {
	if c.bodyFile == "-" && c.secretFile == "-" {
		return cli.Usagef("--body and --secret-file can't both be read from standard input: put one of them into a file")
	}
	options := Options{
		Provider: c.Provider, Endpoint: c.Endpoint, PublicURL: c.publicURL, Scheme: c.scheme,
		EventID: c.eventID, EventType: c.eventType, Method: c.method, Now: c.Now(),
	}
	var err error
	if options.URL, err = c.address(); err != nil {
		return err
	}
	keys, err := c.keys(ctx)
	if err != nil {
		return err
	}
	options.Secret, options.Parameters, options.PrivateKey = keys.value, keys.parameters, keys.privateKey
	if err := c.content(&options); err != nil {
		return err
	}
	request, err := Build(options)
	if err != nil {
		return err
	}
	v := newView(request, c.Provider, keys)
	if c.dryRun {
		c.sayCurl(v)
		return nil
	}
	return c.send(ctx, v)
}

// send sends the request and prints the answer.
func (c *Command) send(ctx context.Context, v *view) error {
	if c.show {
		c.sayRequest(v)
	}
	c.printf("%s %s\n", v.request.Method, human.OneLine(v.url()))
	c.printf("%s\n", v.summary())
	client := &http.Client{Timeout: c.timeout}
	defer client.CloseIdleConnections()
	answer, err := Do(ctx, client, v.request)
	if err != nil {
		return v.conceal(err)
	}
	c.sayAnswer(answer)
	return explainAnswer(answer.Status)
}

// address is where to send to: --url, or what the endpoint's status says.
func (c *Command) address() (string, error) {
	published := c.Endpoint.Status.URL
	_, path, absolute := strings.Cut(published, "://")
	if absolute {
		_, path, _ = strings.Cut(path, "/")
		path = "/" + path
	} else {
		path = published // the manager does not know its public URL
	}
	switch {
	case c.url == "" && published == "":
		return "", errors.New("the endpoint has no URL yet: kubectl describe webhookendpoint says why, or name one by --url")
	case c.url == "" && !absolute:
		return "", fmt.Errorf("the manager was not told its public URL, and knows only the path %s: say by --url where the receivers can be reached, for example --url http://localhost:8080 with kubectl port-forward", published)
	case c.url == "":
		return published, nil
	}
	scheme, rest, ok := strings.Cut(c.url, "://")
	if !ok || rest == "" || scheme != "http" && scheme != "https" {
		return "", cli.Usagef("--url=%s is no URL: write for example http://localhost:8080", c.url)
	}
	if rest = strings.TrimSuffix(rest, "/"); strings.ContainsAny(rest, "/?#") {
		return c.url, nil
	}
	return scheme + "://" + rest + path, nil
}

// readInput reads a file, or standard input for "-".
func (c *Command) readInput(flag, path string, limit int64) ([]byte, error) {
	source := c.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		defer func() { _ = file.Close() }()
		source = file
	}
	content, err := io.ReadAll(io.LimitReader(source, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: read %s: %w", flag, path, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s: %s is larger than %s", flag, path, human.Size(limit))
	}
	return content, nil
}

// sayf tells people something, beside the answer.
func (c *Command) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(c.ErrOut, format+"\n", args...)
}

// printf prints a part of the answer.
func (c *Command) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(c.Out, format, args...)
}
