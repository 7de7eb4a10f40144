package conformance

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// The traps that senders set, each with what must hold. What is signed here is
// signed as the senders' documentation says, not with our code.

const (
	trapSecret = "not-a-real-secret"
	trapBody   = `{"id":"ev_1","type":"demo.created"}`
)

// trapTime is when everything is sent.
var trapTime = time.Unix(1767225600, 0)

func hexMAC(algorithm func() hash.Hash, key string, parts ...string) string {
	return hex.EncodeToString(macOf(algorithm, key, parts...))
}

func macOf(algorithm func() hash.Hash, key string, parts ...string) []byte {
	mac := hmac.New(algorithm, []byte(key))
	_, _ = mac.Write([]byte(strings.Join(parts, "")))
	return mac.Sum(nil)
}

// posted is a request with headers, given as names and values in turn.
func posted(body string, headers ...string) *verify.Request {
	r := &verify.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body)}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// verifier compiles a preset.
func (all senders) verifier(t *testing.T, preset string) *verify.Verifier {
	t.Helper()
	verifier, err := verify.Compile(all[preset].Provider)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// reasonOf is why something is rejected; empty: it isn't.
func reasonOf(t *testing.T, err error) verify.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	rejection, ok := errors.AsType[*verify.Rejection](err)
	if !ok {
		t.Fatal(err)
	}
	return rejection.Reason
}

// judge is why a preset rejects a request; empty: it doesn't.
func (all senders) judge(t *testing.T, preset, key string, r *verify.Request, now time.Time) verify.Reason {
	t.Helper()
	_, err := all.verifier(t, preset).Verify(r, &verify.Material{Secrets: []secret.Value{secret.New([]byte(key))}}, now)
	return reasonOf(t, err)
}

// judgeSpecimen is judge for the request of a specimen.
func (all senders) judgeSpecimen(t *testing.T, s *specimen, r *verify.Request, now time.Time) verify.Reason {
	t.Helper()
	_, err := all.verifier(t, s.preset).Verify(r, s.material(t, &all[s.preset].Provider), now)
	return reasonOf(t, err)
}

// specimenOf is the specimen of a preset.
func specimenOf(t *testing.T, all senders, preset string) specimen {
	t.Helper()
	for _, s := range loadSpecimens(t, all) {
		if s.preset == preset {
			return s
		}
	}
	t.Fatalf("there is no preset %s", preset)
	return specimen{}
}

// accepts fails the test unless the preset takes the request for authentic.
func (all senders) accepts(t *testing.T, preset string, r *verify.Request) {
	t.Helper()
	if reason := all.judge(t, preset, trapSecret, r, trapTime); reason != "" {
		t.Errorf("%s rejects it: %s", preset, reason)
	}
}

// rejects fails the test unless the preset rejects the request.
func (all senders) rejects(t *testing.T, preset string, r *verify.Request) {
	t.Helper()
	if all.judge(t, preset, trapSecret, r, trapTime) == "" {
		t.Errorf("%s accepts it", preset)
	}
}

// TestSameHeaderOtherAlgorithm: X-Hub-Signature is SHA-1 for some senders and
// SHA-256 for others. The preset decides, not what the header says.
func TestSameHeaderOtherAlgorithm(t *testing.T) {
	all := loadSenders(t)
	macs := map[string]string{"sha1": hexMAC(sha1.New, trapSecret, trapBody), "sha256": hexMAC(sha256.New, trapSecret, trapBody)}
	for preset, algorithm := range map[string]string{"github-sha1-legacy": "sha1", "intercom": "sha1", "bitbucket": "sha256", "jira": "sha256"} {
		for prefix := range macs {
			for made, mac := range macs {
				r := posted(trapBody, "X-Hub-Signature", prefix+"="+mac)
				if prefix == algorithm && made == algorithm {
					all.accepts(t, preset, r)
				} else {
					all.rejects(t, preset, r)
				}
			}
		}
	}
}

// TestWhatOfAFormIsSigned: GitHub and Slack sign a form as it is sent, Gitea the
// field payload, Twilio the sorted fields.
func TestWhatOfAFormIsSigned(t *testing.T) {
	all := loadSenders(t)
	const payload = `{"a":"b c"}`
	body := "payload=" + url.QueryEscape(payload)
	stamp := strconv.FormatInt(trapTime.Unix(), 10)
	signed := map[string]string{"raw": body, "field": payload, "pairs": "payload" + payload}
	requests := map[string]func(content string) *verify.Request{
		"github": func(content string) *verify.Request {
			return posted(body, "X-Hub-Signature-256", "sha256="+hexMAC(sha256.New, trapSecret, content))
		},
		"slack": func(content string) *verify.Request {
			return posted(body, "X-Slack-Request-Timestamp", stamp, "X-Slack-Signature", "v0="+hexMAC(sha256.New, trapSecret, "v0:"+stamp+":"+content))
		},
		"gitea": func(content string) *verify.Request {
			return posted(body, "X-Gitea-Signature", hexMAC(sha256.New, trapSecret, content))
		},
		"twilio": func(content string) *verify.Request {
			return posted(body, "X-Twilio-Signature", base64.StdEncoding.EncodeToString(macOf(sha1.New, trapSecret, public, content)))
		},
	}
	for preset, want := range map[string]string{"github": "raw", "slack": "raw", "gitea": "field", "twilio": "pairs"} {
		for what, content := range signed {
			r := requests[preset](content)
			r.URL = public
			r.Header.Set("Content-Type", formMediaType)
			if what == want {
				all.accepts(t, preset, r)
			} else {
				all.rejects(t, preset, r)
			}
		}
	}
}

// TestEmptySecretVerifiesNothing: Gitea sends an empty signature if it has no
// secret, and whoever knows that an endpoint has none could sign with nothing.
func TestEmptySecretVerifiesNothing(t *testing.T) {
	all := loadSenders(t)
	all.rejects(t, "gitea", posted(trapBody, "X-Gitea-Signature", ""))
	for _, empty := range []string{"", " ", "\n"} {
		r := posted(trapBody, "X-Gitea-Signature", hexMAC(sha256.New, empty, trapBody))
		if reason := all.judge(t, "gitea", empty, r, trapTime); reason != verify.NoUsableKey {
			t.Errorf("a signature by the secret %q: %q, want NoUsableKey", empty, reason)
		}
	}
	for _, s := range loadSpecimens(t, all) {
		if s.scheme.KeySource == nil {
			if reason := all.judge(t, s.preset, "", s.request(), s.now()); reason != verify.NoUsableKey {
				t.Errorf("%s without a secret: %q, want NoUsableKey", s.preset, reason)
			}
		}
	}
}

// request is the specimen as the verification sees it.
func (s *specimen) request() *verify.Request {
	r := posted(string(s.wire.body))
	r.Method, r.RawQuery, r.URL = s.wire.method, s.wire.query, s.example.Request.URL
	for _, header := range s.wire.header {
		r.Header.Add(header.name, header.value)
	}
	return r
}

// stamped are senders that write time and signature into one header.
var stamped = []struct {
	preset, header, format, separator string
	unit                              time.Duration
}{
	{"stripe", "Stripe-Signature", "t=%s,v1=%s", ".", time.Second},
	{"mux", "Mux-Signature", "t=%s,v1=%s", ".", time.Second},
	{"calendly", "Calendly-Webhook-Signature", "t=%s,v1=%s", ".", time.Second},
	{"workos", "WorkOS-Signature", "t=%s, v1=%s", ".", time.Millisecond},
	{"buildkite", "X-Buildkite-Signature", "timestamp=%s,signature=%s", ".", time.Second},
	{"paddle", "Paddle-Signature", "ts=%s;h1=%s", ":", time.Second},
}

// TestMeaningsOfT: one grammar, with times in seconds or milliseconds and other
// names and separators. A header that is right for one sender says nothing to
// another, even with the same secret.
func TestMeaningsOfT(t *testing.T) {
	all := loadSenders(t)
	for _, sender := range stamped {
		at := strconv.FormatInt(trapTime.UnixNano()/int64(sender.unit), 10)
		value := fmt.Sprintf(sender.format, at, hexMAC(sha256.New, trapSecret, at, sender.separator, trapBody))
		for _, receiver := range stamped {
			r := posted(trapBody, receiver.header, value)
			if receiver.format == sender.format && receiver.unit == sender.unit {
				all.accepts(t, receiver.preset, r)
			} else {
				all.rejects(t, receiver.preset, r)
			}
		}
	}
}

// TestDowngrade: of a list only the configured version counts. A right signature
// under another version's name is none, and can't stand in for a wrong one.
func TestDowngrade(t *testing.T) {
	all := loadSenders(t)
	stamp := strconv.FormatInt(trapTime.Unix(), 10)
	stripe, plain := hexMAC(sha256.New, trapSecret, stamp, ".", trapBody), hexMAC(sha256.New, trapSecret, trapBody)
	wrong := hexMAC(sha256.New, "another", trapBody)
	for _, trap := range []struct{ preset, header, good, old, both string }{
		{"stripe", "Stripe-Signature", "v0=" + wrong + ",t=" + stamp + ",v1=" + stripe, "t=" + stamp + ",v0=" + stripe, "t=" + stamp + ",v0=" + stripe + ",v1=" + wrong},
		{"circleci", "circleci-signature", "v2=" + wrong + ",v1=" + plain, "v2=" + plain, "v0=" + plain + ",v1=" + wrong},
		{"pagerduty", "X-PagerDuty-Signature", "v0=" + wrong + ",v1=" + plain, "v0=" + plain, "v0=" + plain + ",v1=" + wrong},
	} {
		all.accepts(t, trap.preset, posted(trapBody, trap.header, trap.good))
		all.rejects(t, trap.preset, posted(trapBody, trap.header, trap.old))
		all.rejects(t, trap.preset, posted(trapBody, trap.header, trap.both))
	}
}

// TestPublicKeyIsNoSecret: Standard Webhooks has HMAC (v1) and Ed25519 (v1a). A
// signature made by HMAC with the public key, which is no secret, must not pass
// for either.
func TestPublicKeyIsNoSecret(t *testing.T) {
	all := loadSenders(t)
	stamp := strconv.FormatInt(trapTime.Unix(), 10)
	public := strings.Repeat("p", 32)
	forged := base64.StdEncoding.EncodeToString(macOf(sha256.New, public, "msg_1.", stamp, ".", trapBody))
	key := base64.StdEncoding.EncodeToString([]byte(public))
	for _, version := range []string{"v1,", "v1a,"} {
		r := posted(trapBody, "webhook-id", "msg_1", "webhook-timestamp", stamp, "webhook-signature", version+forged)
		if all.judge(t, "standard-webhooks-v1a-ed25519", "whpk_"+key, r, trapTime) == "" {
			t.Errorf("%s is accepted with the public key", version)
		}
		accepted := all.judge(t, "standard-webhooks", "whsec_"+key, r, trapTime) == ""
		if accepted != (version == "v1,") {
			t.Errorf("%s is accepted: %v by the preset for HMAC", version, accepted)
		}
	}
}

// TestTwoTimes: of two times nobody knows which one was signed and which one is
// to be judged.
func TestTwoTimes(t *testing.T) {
	all := loadSenders(t)
	old, now := "1700000000", strconv.FormatInt(trapTime.Unix(), 10)
	for _, signed := range []string{old, now} {
		stripe := hexMAC(sha256.New, trapSecret, signed, ".", trapBody)
		slack := "v0=" + hexMAC(sha256.New, trapSecret, "v0:", signed, ":", trapBody)
		for _, order := range [][2]string{{old, now}, {now, old}} {
			all.rejects(t, "stripe", posted(trapBody, "Stripe-Signature", "t="+order[0]+",t="+order[1]+",v1="+stripe))
			all.rejects(t, "slack", posted(trapBody, "X-Slack-Request-Timestamp", order[0], "X-Slack-Request-Timestamp", order[1], "X-Slack-Signature", slack))
		}
	}
}

// TestToleranceHasTwoSides: some libraries look only into the past. A time in
// the future would let a captured request live longer.
func TestToleranceHasTwoSides(t *testing.T) {
	all := loadSenders(t)
	for _, s := range loadSpecimens(t, all) {
		if s.scheme.Timestamp == nil || s.scheme.Timestamp.ToleranceSeconds == 0 {
			continue
		}
		tolerance, at := time.Duration(s.scheme.Timestamp.ToleranceSeconds)*time.Second, s.signedAt(t)
		for edge, beyond := range map[time.Duration]time.Duration{tolerance: tolerance + time.Second, -tolerance: -tolerance - time.Second} {
			if reason := all.judgeSpecimen(t, &s, s.request(), at.Add(edge)); reason != "" {
				t.Errorf("%s at %s: %s", s.preset, edge, reason)
			}
			if reason := all.judgeSpecimen(t, &s, s.request(), at.Add(beyond)); reason != verify.TimestampOutsideTolerance {
				t.Errorf("%s a second beyond %s: %q", s.preset, edge, reason)
			}
		}
	}
}

// signedAt is when the specimen was signed.
func (s *specimen) signedAt(t *testing.T) time.Time {
	t.Helper()
	var text string
	if stamp := s.scheme.Timestamp; stamp.From != nil {
		text = s.wire.get(*stamp.From)
	} else {
		kv := s.scheme.Signature.KeyValue
		_, value := s.at()
		_, text, _ = strings.Cut(value, kv.TimestampKey+kv.Equals)
		text, _, _ = strings.Cut(text, kv.Separator)
	}
	if s.scheme.Timestamp.Unit == verify.RFC3339 {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if s.scheme.Timestamp.Unit == verify.Milliseconds {
		return time.UnixMilli(n)
	}
	return time.Unix(n, 0)
}

// TestRetriesWithOldSignatures: Mailgun repeats the signature of the first
// attempt for 8 hours. Others sign each attempt anew.
func TestRetriesWithOldSignatures(t *testing.T) {
	all := loadSenders(t)
	s := specimenOf(t, all, "mailgun")
	if reason := all.judgeSpecimen(t, &s, s.request(), s.now().Add(8*time.Hour)); reason != "" {
		t.Errorf("a retry after 8 hours is rejected: %s", reason)
	}
}

// TestBytesArriveAsSent: what is signed are the bytes: a line break at the end, an
// escape or none, a compressed body. Nothing on the way may make them nicer.
func TestBytesArriveAsSent(t *testing.T) {
	bodies := map[string]string{
		"line break": "{\"a\":1}\r\n", "escape": `{"a":"\u00e4"}`, "no escape": `{"a":"ä"}`, "spaces": "{ \"a\" : 1 }", "not UTF-8": "{\"a\":\"\xe4\"}",
		"not JSON": "\x00\x01", "compressed": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xaaVJT\xb22\xac\x05\x04\x00\x00\xff\xff",
	}
	preset := "hmac-sha256"
	all := loadSenders(t)
	s := specimen{preset: preset, scheme: &all[preset].Provider.Schemes[0], example: &v1alpha1.ProviderTest{Secret: trapSecret}}
	g := newGround(t, all, []specimen{s})
	for name, body := range bodies {
		for other, signed := range bodies {
			m := mutant{name: name + ", signed " + other, want: refused}
			m.wire = wire{method: http.MethodPost, body: []byte(body), header: []field{
				{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}, {"X-Signature", hexMAC(sha256.New, trapSecret, signed)},
			}}
			if body == signed {
				m.want = same
			}
			g.try(t, &s, m)
		}
	}
}

// TestSignedURLIsTheConfiguredOne: a Gateway that rewrites the path, drops the
// query or ends TLS changes the URL of the request, and not the one that counts.
func TestSignedURLIsTheConfiguredOne(t *testing.T) {
	all := loadSenders(t)
	for _, s := range loadSpecimens(t, all) {
		if !strings.Contains(s.scheme.Content, "{url}") {
			continue
		}
		given := s.example.Request.URL
		for _, other := range []string{strings.Replace(given, "https:", "http:", 1), given + "x", strings.ToUpper(given), strings.Replace(given, "://", "://www.", 1)} {
			r := s.request()
			r.URL = other
			if reason := all.judgeSpecimen(t, &s, r, s.now()); reason != verify.WrongSignature {
				t.Errorf("%s with %s instead of %s: %q", s.preset, other, given, reason)
			}
		}
		r := s.request()
		r.URL = ""
		if reason := all.judgeSpecimen(t, &s, r, s.now()); reason != verify.NoPublicURL {
			t.Errorf("%s without a public URL: %q", s.preset, reason)
		}
	}
}

// TestNoWayBackToAToken: where a signature is present it decides. A token beside
// it, however right, is no second chance.
func TestNoWayBackToAToken(t *testing.T) {
	all := loadSenders(t)
	key := "whsec_" + base64.StdEncoding.EncodeToString([]byte(trapSecret))
	stamp := strconv.FormatInt(trapTime.Unix(), 10)
	for _, spoilt := range []string{"v1," + base64.StdEncoding.EncodeToString(make([]byte, 32)), "v9,x", "x"} {
		gitlab := posted(trapBody, "webhook-id", "msg_1", "webhook-timestamp", stamp, "webhook-signature", spoilt, "X-Gitlab-Token", key)
		if all.judge(t, "gitlab", key, gitlab, trapTime) == "" {
			t.Errorf("gitlab falls back to the token beside %q", spoilt)
		}
	}
	all.rejects(t, "buildkite", posted(trapBody, "X-Buildkite-Signature", "timestamp="+stamp+",signature="+hexMAC(sha256.New, "another", trapBody), "X-Buildkite-Token", trapSecret))
	all.accepts(t, "buildkite", posted(trapBody, "X-Buildkite-Token", trapSecret))
}

// TestPresetsAreNotSniffed: Gitea sends the headers of GitHub and Gogs, too, and
// Svix those of Standard Webhooks under other names. Only the headers of the
// configured sender count.
func TestPresetsAreNotSniffed(t *testing.T) {
	all := loadSenders(t)
	sum := hexMAC(sha256.New, trapSecret, trapBody)
	headers := map[string][2]string{
		"github": {"X-Hub-Signature-256", "sha256=" + sum}, "gogs": {"X-Gogs-Signature", sum}, "gitea": {"X-Gitea-Signature", sum},
	}
	for preset := range headers {
		own, others := posted(trapBody), posted(trapBody)
		for sender, header := range headers {
			if sender == preset {
				own.Header.Set(header[0], header[1])
			} else {
				others.Header.Set(header[0], header[1])
			}
		}
		all.accepts(t, preset, own)
		all.rejects(t, preset, others)
	}
	stamp := strconv.FormatInt(trapTime.Unix(), 10)
	key := "whsec_" + base64.StdEncoding.EncodeToString([]byte(trapSecret))
	svix := posted(trapBody, "svix-id", "msg_1", "svix-timestamp", stamp, "svix-signature",
		"v1,"+base64.StdEncoding.EncodeToString(macOf(sha256.New, trapSecret, "msg_1.", stamp, ".", trapBody)))
	if reason := all.judge(t, "standard-webhooks", key, svix, trapTime); reason != verify.MissingSignature {
		t.Errorf("standard-webhooks takes Svix's headers: %q", reason)
	}
	if reason := all.judge(t, "svix", key, svix, trapTime); reason != "" {
		t.Errorf("svix rejects its own: %s", reason)
	}
}
