package send

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// MaxAnswerBytes bounds what is read of the body of an answer.
const MaxAnswerBytes = 64 << 10

// Answer is what came back.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// Header is the header of the answer.
	Header http.Header
	// Body is the start of the body, at most MaxAnswerBytes.
	Body []byte
	// Took is the time from sending to the end of the answer.
	Took time.Duration
}

// Do sends a request that Build made, and reads the answer. A redirect is an
// answer like others: what is signed, or a token, is for one URL only. ctx bounds
// how long it takes. The error doesn't contain the URL.
func Do(ctx context.Context, client *http.Client, r Request) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("the URL or the method can't be used: give one as https://host/path: %w", withoutURL(err))
	}
	request.Header = r.Header.Clone()
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	begin := time.Now()
	response, err := direct.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("there was no answer: is the URL right, and can it be reached from here? %w", withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes))
	answer := Answer{Status: response.StatusCode, Header: response.Header, Body: body, Took: time.Since(begin)}
	if err != nil {
		return answer, fmt.Errorf("the answer broke off: send again to see all of it: %w", err)
	}
	return answer, nil
}

// withoutURL leaves the URL out of an error: there may be a token in its query.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
