package cluster

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// sendTimeout bounds a request, so that no test waits for one for ever.
const sendTimeout = 30 * time.Second

// Answer is what an HTTP server said.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Post sends a webhook as a provider does: a POST on a connection of its own.
func Post(ctx context.Context, url string, header http.Header, body []byte) (Answer, error) {
	return send(ctx, http.MethodPost, url, header, body)
}

// Get reads a page.
func Get(ctx context.Context, url string) (Answer, error) {
	return send(ctx, http.MethodGet, url, nil, nil)
}

func send(ctx context.Context, method, url string, header http.Header, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(content)}, err
}

// GitHub returns the headers of a webhook of GitHub. They are made without any
// code of the receiver, from GitHub's documentation: the signature is the HMAC
// of the body (docs.github.com, "Validating webhook deliveries").
func GitHub(secret, event, delivery string, body []byte) http.Header {
	return http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"GitHub-Hookshot/044aadd"},
		"X-Github-Event":      {event},
		"X-Github-Delivery":   {delivery},
		"X-Hub-Signature-256": {"sha256=" + sign(secret, body)},
	}
}

// Stripe returns the headers of a webhook of Stripe. The signature is the HMAC
// of "<unix seconds>.<body>" (docs.stripe.com, "Verify webhook signatures manually").
func Stripe(secret string, at time.Time, body []byte) http.Header {
	seconds := strconv.FormatInt(at.Unix(), 10)
	signature := sign(secret, append([]byte(seconds+"."), body...))
	return http.Header{
		"Content-Type":     {"application/json; charset=utf-8"},
		"User-Agent":       {"Stripe/1.0 (+https://stripe.com/docs/webhooks)"},
		"Stripe-Signature": {fmt.Sprintf("t=%s,v1=%s", seconds, signature)},
	}
}

// Slack returns the headers of a webhook of Slack. The signature is the HMAC of
// "v0:<unix seconds>:<body>" (docs.slack.dev, "Verifying requests from Slack").
func Slack(secret string, at time.Time, body []byte) http.Header {
	seconds := strconv.FormatInt(at.Unix(), 10)
	return http.Header{
		"Content-Type":              {"application/json"},
		"User-Agent":                {"Slackbot 1.0 (+https://api.slack.com/robots)"},
		"X-Slack-Request-Timestamp": {seconds},
		"X-Slack-Signature":         {"v0=" + sign(secret, append([]byte("v0:"+seconds+":"), body...))},
	}
}

func sign(secret string, content []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(content)
	return hex.EncodeToString(mac.Sum(nil))
}
