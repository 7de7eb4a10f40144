package conformance

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/verify"
)

// vector is one request and whether it is genuine.
type vector struct {
	ID       string            `json:"id"`
	Provider string            `json:"provider"`
	Kind     string            `json:"kind"`
	Variant  string            `json:"variant"`
	Secret   string            `json:"secret"`
	Key      map[string]string `json:"key"`
	Params   map[string]string `json:"params"`
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Body     []byte            `json:"body_base64"`
	Now      int64             `json:"now_unix"`
	Valid    bool              `json:"valid"`
	Reason   string            `json:"reject_reason"`
	Expect   expectation       `json:"expect"`
	Note     string            `json:"note"`
}

// expectation is the answer to a handshake.
type expectation struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    *string           `json:"body"`
	JSON    json.RawMessage   `json:"json"`
}

// files are what the folder must hold.
var files = []string{"vectors.jsonl", "vectors_synthetic.jsonl"}

// loadVectors reads the folder; nil if none is named. A missing file is a
// failure: a run that compares nothing must not look like one that did.
func loadVectors(t *testing.T) []vector {
	t.Helper()
	folder := os.Getenv("SALLYPORT_VECTORS")
	if folder == "" {
		t.Log("SALLYPORT_VECTORS names no folder: nothing to compare with")
		return nil
	}
	var vectors []vector
	for _, name := range files {
		vectors = append(vectors, readVectors(t, filepath.Join(folder, name))...)
	}
	return vectors
}

func readVectors(t *testing.T, path string) (vectors []vector) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		vectors = append(vectors, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return vectors
}

// request is the vector as the receiver would see it. Senders that sign their
// URL sign the one that they were given.
func (v *vector) request(t *testing.T) *verify.Request {
	t.Helper()
	address := v.URL
	if configured := v.Params["configured_url"]; configured != "" {
		address = configured
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r := &verify.Request{Method: v.Method, URL: address, RawQuery: u.RawQuery, Header: http.Header{}, Body: v.Body}
	for name, value := range v.Headers {
		r.Header.Add(name, value)
	}
	return r
}

// secret is the vector's secret as a Secret holds it; empty: it has none, because
// the sender publishes its key.
func (v *vector) secret() string {
	text := v.Secret
	for _, name := range []string{"ed25519_public", "ecdsa_p256_spki_base64", "pem"} {
		if text == "" {
			text = v.Key[name]
		}
	}
	for _, name := range []string{"key_id", "public_key"} {
		if id := v.Params[name]; id != "" {
			text = id + ":" + text
		}
	}
	return text
}

// parameters are what the vector's endpoint gives to the parameters of the
// preset: what was configured when the request was recorded.
func (v *vector) parameters() map[string]string {
	switch v.Provider {
	case "aws-sns":
		return map[string]string{"topic_arn": v.member("TopicArn")}
	case "paypal":
		return map[string]string{"webhook_id": v.Params["webhook_id"]}
	case "cloudevents":
		return map[string]string{"allowed_origins": v.Headers["WebHook-Request-Origin"]}
	case "meta":
		return map[string]string{"verify_token": v.Secret}
	case "google-pubsub":
		return map[string]string{"audience": "unknown", "service_account": "unknown"}
	case "azure-event-grid":
		return map[string]string{"audience": "unknown", "tenant": "unknown", "issuer": "unknown"}
	case "monday":
		return map[string]string{"audience": "unknown"}
	}
	return nil
}

// now is when the request arrives: where the vector doesn't say, at the time that
// the request itself states.
func (v *vector) now() time.Time {
	if v.Now != 0 {
		return time.Unix(v.Now, 0)
	}
	stated := v.member("Timestamp")
	if stated == "" {
		stated = v.Headers["PAYPAL-TRANSMISSION-TIME"]
	}
	if at, err := time.Parse(time.RFC3339, stated); err == nil {
		return at
	}
	for _, header := range []string{"x-zm-request-timestamp", "X-Signature-Timestamp", "X-Twilio-Email-Event-Webhook-Timestamp"} {
		if seconds, err := strconv.ParseInt(v.Headers[header], 10, 64); err == nil {
			return time.Unix(seconds, 0)
		}
	}
	return time.Unix(1, 0)
}

// wait moves the arrival of a request that is too old, or too early, by as much as
// the preset tolerates: where retries may keep their first signature, that is more than
// what the library does that the vector comes from.
func (v *vector) wait(sender *provider.Sender) {
	tolerated := int64(sender.MinWindow.Seconds())
	switch v.Reason {
	case "stale_timestamp":
		v.Now += tolerated
	case "future_timestamp":
		v.Now -= tolerated
	}
}

// member is a text of a body that is a JSON object.
func (v *vector) member(name string) string {
	var members map[string]any
	if json.Unmarshal(v.Body, &members) != nil {
		return ""
	}
	text, _ := members[name].(string)
	return text
}
