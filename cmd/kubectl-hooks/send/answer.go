package send

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// receiverAnswer is what a receiver answers to an event, if the provider wants no
// other answer.
type receiverAnswer struct {
	Status    string `json:"status"` // accepted or duplicate
	Error     string `json:"error"`  // why it is refused
	RequestID string `json:"requestId"`
}

// sayAnswer prints the answer.
func (c *Command) sayAnswer(answer Answer) {
	var told receiverAnswer
	if json.Unmarshal(answer.Body, &told) != nil {
		told = receiverAnswer{}
	}
	text := cmp.Or(told.Status, told.Error)
	line := fmt.Sprintf("%d %s in %s", answer.Status, http.StatusText(answer.Status), answer.Took.Round(time.Millisecond/10))
	if text != "" {
		line += ": " + text
	}
	c.printf("%s\n", human.OneLine(line))
	if c.show {
		for _, header := range headerLines(answer.Header) {
			c.printf("< %s\n", human.OneLine(header))
		}
	}
	switch {
	case c.show || text == "" && len(answer.Body) > 0:
		c.printf("%s\n", strings.TrimSpace(human.Readable(answer.Body)))
	case told.RequestID != "":
		c.printf("request id %s\n", human.OneLine(told.RequestID))
	}
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
