package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/send"
)

// maxInput bounds a body that is read from a file: more than any endpoint takes.
const maxInput = 64 << 20

// maxKeyFile bounds a file that holds a secret or a key.
const maxKeyFile = 1 << 20

type sendOptions struct {
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

func (a *app) sendCommand() *cobra.Command {
	var o sendOptions
	cmd := &cobra.Command{
		Use:   "send ENDPOINT",
		Short: "Send a test webhook, signed as the endpoint's provider signs",
		Long: `Send a test webhook, signed as the endpoint's provider signs, with the endpoint's own
secret. The body is one of the provider's examples, or that of --body.

The Secret is read with your own rights: you need to be allowed to get it, or to have
its value in a file (--secret-file). Providers that sign with a private key need one
whose public key is in the Secret (--private-key).

The exit code is 1 if the answer is not 2xx.`,
		Example: `kubectl hooks send stripe
kubectl hooks send billing/stripe --type invoice.paid --body invoice.json
kubectl hooks send stripe --url http://localhost:8080
jq -n '{action: "opened"}' | kubectl hooks send github --type issues --body - --show
kubectl hooks send stripe --dry-run`,
		Args:              arguments(1, 1, "one ENDPOINT"),
		ValidArgsFunction: a.completeEndpoint,
		RunE:              runE(func(ctx context.Context, args []string) error { return a.send(ctx, args[0], &o) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.eventType, "type", "", "`type` of the event, for example invoice.paid")
	flags.StringVar(&o.eventID, "event-id", "", "`id` of the event; a fresh one by default. The same id twice is a duplicate")
	flags.StringVar(&o.bodyFile, "body", "", "`file` with the body; - reads it from standard input")
	flags.StringArrayVarP(&o.headers, "header", "H", nil, "another `header`, as name=value or name: value; several may be given")
	flags.StringVarP(&o.method, "method", "X", "", "HTTP `method`; that of the example by default, or POST")
	flags.StringVar(&o.url, "url", "", "`URL` to send to; by default that of the endpoint's status. Without a path, the endpoint's is added")
	flags.StringVar(&o.publicURL, "public-url", "", "`URL` that the provider signs, if it signs the URL; by default that of the endpoint's status")
	flags.StringVar(&o.scheme, "scheme", "", "`name` of the provider's scheme to sign by, where it has several")
	flags.StringVar(&o.secretFile, "secret-file", "", "`file` with the secret, instead of reading the endpoint's Secret; - reads it from standard input")
	flags.StringVar(&o.privateKeyFile, "private-key", "", "PEM `file` with the private key, for providers that sign with one")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the answer")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the request as a command of curl, and send nothing")
	flags.BoolVar(&o.show, "show", false, "show what is sent, and all of the answer")
	mustComplete(cmd, "scheme", a.completeSchemes)
	mustComplete(cmd, "type", a.completeTypes)
	return cmd
}

func (a *app) send(ctx context.Context, argument string, o *sendOptions) error {
	if o.bodyFile == "-" && o.secretFile == "-" {
		return cli.Usagef("--body and --secret-file can't both be read from standard input: put one of them into a file")
	}
	endpoint, err := a.endpoint(ctx, argument)
	if err != nil {
		return err
	}
	provider, err := a.provider(ctx, endpoint.Spec.Provider)
	if err != nil {
		return err
	}
	options := send.Options{
		Provider: provider, Endpoint: endpoint, PublicURL: o.publicURL, Scheme: o.scheme,
		EventID: o.eventID, EventType: o.eventType, Method: o.method, Now: a.now(),
	}
	if options.URL, err = o.address(endpoint.Status.URL); err != nil {
		return err
	}
	secret, err := a.secretOf(ctx, endpoint, provider, o)
	if err != nil {
		return err
	}
	options.Secret, options.Parameters, options.PrivateKey = secret.value, secret.parameters, secret.privateKey
	if err := a.content(provider, o, &options); err != nil {
		return err
	}
	request, err := send.Build(options)
	if err != nil {
		return err
	}
	view := newView(request, provider, secret)
	if o.dryRun {
		return a.sayCurl(view, o)
	}
	return a.deliver(ctx, view, o)
}

// deliver sends the request and tells the answer.
func (a *app) deliver(ctx context.Context, v *view, o *sendOptions) error {
	if o.show {
		a.sayRequest(v)
	}
	a.printf("%s %s\n", v.request.Method, oneLine(v.url()))
	a.printf("%s\n", v.summary())
	client := &http.Client{
		Timeout:       o.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	answer, err := send.Do(ctx, client, v.request)
	if err != nil {
		return v.conceal(err)
	}
	a.sayAnswer(answer, o.show)
	return explainAnswer(answer.Status)
}

// address is where to send to: --url, or what the endpoint's status says.
func (o *sendOptions) address(published string) (string, error) {
	_, path, absolute := strings.Cut(published, "://")
	if absolute {
		_, path, _ = strings.Cut(path, "/")
		path = "/" + path
	} else {
		path = published // the manager does not know its public URL
	}
	switch {
	case o.url == "" && published == "":
		return "", errors.New("the endpoint has no URL yet: kubectl describe webhookendpoint says why, or name one by --url")
	case o.url == "" && !absolute:
		return "", fmt.Errorf("the manager was not told its public URL, and knows only the path %s: say by --url where the receivers can be reached, for example --url http://localhost:8080 with kubectl port-forward", published)
	case o.url == "":
		return published, nil
	}
	scheme, rest, ok := strings.Cut(o.url, "://")
	if !ok || rest == "" || scheme != "http" && scheme != "https" {
		return "", cli.Usagef("--url=%s is no URL: write for example http://localhost:8080", o.url)
	}
	if rest = strings.TrimSuffix(rest, "/"); strings.ContainsAny(rest, "/?#") {
		return o.url, nil
	}
	return scheme + "://" + rest + path, nil
}

// readInput reads a file, or standard input for "-".
func (a *app) readInput(flag, path string, limit int64) ([]byte, error) {
	source := a.In
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
		return nil, fmt.Errorf("%s: %s is larger than %s", flag, path, size(limit))
	}
	return content, nil
}

// explainAnswer makes an error of an answer that is not 2xx.
func explainAnswer(status int) error {
	if status >= 200 && status <= 299 {
		return nil
	}
	why := "see what is at that URL"
	switch status {
	case http.StatusBadRequest:
		why = "the receiver found the request malformed: the audit log, or tail, says why"
	case http.StatusUnauthorized:
		why = "the receiver does not take it for authentic: is it the secret that the endpoint serves, and is the clock right? tail says why"
	case http.StatusForbidden:
		why = "the receiver takes nothing from here: see limits.sourceRanges of the endpoint; a few providers want that status for a wrong signature, too"
	case http.StatusNotFound:
		why = "no endpoint is at that path: is it the URL of the receivers, and is the endpoint Ready?"
	case http.StatusConflict, http.StatusTooManyRequests:
		why = "the endpoint gets more than limits.rateLimit allows: try again later"
	case http.StatusRequestEntityTooLarge:
		why = "the body is larger than limits.maxBodyBytes"
	case http.StatusServiceUnavailable:
		why = "the endpoint can't serve now, and the provider would send it again: kubectl describe webhookendpoint says why"
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		why = "the target did not take it (delivery.mode Sync), or nothing is behind that URL"
	}
	if status >= 300 && status <= 399 {
		why = "redirects are not followed: name the URL that it leads to by --url"
	}
	return fmt.Errorf("the answer is %d: %s", status, why)
}
