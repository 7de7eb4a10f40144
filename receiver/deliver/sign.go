package deliver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/secret"
)

// signingPrefix is that of the headers of Standard Webhooks, in lower case.
const signingPrefix = "webhook-"

// sign signs a request to a target by Standard Webhooks (specification 1.0,
// "Signature scheme"): the HMAC-SHA256 of id, time and body, with points in
// between. The time is that of the attempt, because targets refuse what is old. The
// id must be one that a header leaves as it is.
// The sender's own headers of that kind go: the target could take them for ours.
func sign(header http.Header, key secret.Value, id string, body []byte, now time.Time) {
	for name := range header {
		// Underscores count as hyphens, as they do for CGI and what comes after it.
		if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), signingPrefix) {
			delete(header, name)
		}
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, key.Reveal())
	_, _ = fmt.Fprintf(mac, "%s.%s.", id, timestamp) // a hash never fails
	_, _ = mac.Write(body)
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
