package conformance

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/verify"
)

const trapStamp = "1767225600" // trapTime

// TestRoutes: what senders write is what routes can ask for, and none of it is
// acknowledged and dropped. Each event has one route, called route, and some a target
// for the rest.
func TestRoutes(t *testing.T) {
	all := loadSenders(t)
	specimens := loadSpecimens(t, all)
	slack := func(body string) wire {
		return signedForm(body, field{"X-Slack-Request-Timestamp", trapStamp}, field{"X-Slack-Signature", "v0=" + hexMAC(sha256.New, trapSecret, "v0:"+trapStamp+":", body)})
	}
	github := func(body string) wire {
		return signedForm(body, field{"X-GitHub-Delivery", "d1"}, field{"X-GitHub-Event", "push"}, field{"X-Hub-Signature-256", "sha256=" + hexMAC(sha256.New, trapSecret, body)})
	}
	plain := func(body string, header ...field) wire {
		return wire{method: http.MethodPost, body: []byte(body), header: append(header, field{"X-Signature", "sha256=" + hexMAC(sha256.New, trapSecret, body)})}
	}
	gitea := func(body, signed string) wire {
		return signedForm(body, field{"X-Gitea-Delivery", "d1"}, field{"X-Gitea-Event", "push"}, field{"X-Gitea-Signature", hexMAC(sha256.New, trapSecret, signed)})
	}
	payload := func(text string) string { return "payload=" + url.QueryEscape(text) }
	for name, test := range map[string]struct {
		preset     string
		wire       wire
		types      []string
		expression string
		rest       bool // there is a target for the rest
		want       []string
	}{
		"a command of Slack":             {"slack", slack("command=%2Fdeploy&text=now"), []string{"/deploy"}, "event.body.text == 'now'", false, []string{"route"}},
		"an interaction of Slack":        {"slack", slack(payload(`{"type":"block_actions","user":{"id":"U1"}}`)), nil, "event.body.payload.user.id == 'U1'", false, []string{"route"}},
		"another interaction":            {"slack", slack(payload(`{"type":"block_actions","user":{"id":"U2"}}`)), nil, "event.body.payload.user.id == 'U1'", true, []string{""}},
		"a form of GitHub":               {"github", github(payload(`{"ref":"refs/heads/main"}`)), []string{"push"}, "event.body.payload.ref == 'refs/heads/main'", false, []string{"route"}},
		"a form of Gitea":                {"gitea", gitea(payload(`{"ref":"refs/heads/main"}`), `{"ref":"refs/heads/main"}`), []string{"push"}, "event.body.payload.ref == 'refs/heads/main'", false, []string{"route"}},
		"a form of GitHub that is none":  {"github", github(payload(`{"ref":`)), []string{"push"}, "event.body.payload.ref == 'refs/heads/main'", false, nil},
		"JSON by another name":           {"hmac-sha256", plain(`{"a":1}`, field{"Content-Type", "application/cloudevents+json; charset=utf-8"}), nil, "event.body.a == 1", false, []string{"route"}},
		"a charset for a coding":         {"hmac-sha256", plain(`{"a":1}`, field{"Content-Encoding", "UTF-8"}), nil, "event.body.a == 1", false, []string{"route"}},
		"JSON without a name":            {"hmac-sha256", plain(`{"a":1}`), nil, "event.body.a == 1", false, []string{"route"}},
		"a byte order mark":              {"hmac-sha256", plain("\ufeff{\"a\":1}"), nil, "event.body.a == 1", false, []string{"route"}},
		"compressed":                     {"hmac-sha256", plain(compressed(t, `{"a":1}`), field{"Content-Encoding", "gzip"}), nil, "event.body.a == 1", false, []string{"route"}},
		"compressed by an unknown means": {"hmac-sha256", plain("a", field{"Content-Encoding", "br"}), nil, "event.body.a == 1", false, nil},
		"a text":                         {"hmac-sha256", plain("a text", field{"Content-Type", "text/plain"}), nil, "event.body.a == 1", false, nil},
		"a text, and a target":           {"hmac-sha256", plain("a text", field{"Content-Type", "text/plain"}), nil, "event.body.a == 1", true, []string{""}},
		"a text of another type":         {"hmac-sha256", plain("a text", field{"X-Event-Type", "x"}), []string{"y"}, "event.body.a == 1", true, []string{""}},
		"nothing":                        {"hmac-sha256", plain(""), nil, "event.body == null", false, []string{"route"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := specimens[slices.IndexFunc(specimens, func(s specimen) bool { return s.preset == test.preset })]
			example := *s.example
			example.Secret, example.Now = trapSecret, nil
			s.example, s.wire = &example, test.wire
			g := newGround(t, all, []specimen{s}, func(r *route.Route) {
				r.Routes = []route.EventRoute{{Name: "route", Match: match.Rule{Types: test.types, Expression: test.expression}, Target: r.Target}}
				if !test.rest {
					r.Target = route.Target{}
				}
			})
			status, record := g.send(t, &s, mutant{name: name, wire: s.wire})
			if test.want == nil {
				if status != http.StatusServiceUnavailable || record.Status != audit.Unavailable || !strings.Contains(record.ErrorMessage, "routes[route]") {
					t.Errorf("answered %d, the audit says %s: %s", status, record.Status, record.ErrorMessage)
				}
				return
			}
			if status/100 != 2 || record.Status != audit.Accepted || !slices.Equal(g.accepted.targets, test.want) {
				t.Errorf("answered %d (%s: %s), it goes to %q, want %q", status, record.Status, record.ErrorMessage, g.accepted.targets, test.want)
			}
		})
	}
}

// signedForm is a form with the header of its signature.
func signedForm(body string, header ...field) wire {
	return wire{method: http.MethodPost, body: []byte(body), header: append(header, field{"Content-Type", formMediaType})}
}

func compressed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBatchTakesTheRouteOfEachElement, with the keys and batches of senders.
func TestBatchTakesTheRouteOfEachElement(t *testing.T) {
	all := loadSenders(t)
	specimens := loadSpecimens(t, all)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sendgrid := func(body string) wire {
		digest := sha256.Sum256([]byte(trapStamp + body))
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return wire{method: http.MethodPost, body: []byte(body), header: []field{
			{"X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature)}, {"X-Twilio-Email-Event-Webhook-Timestamp", trapStamp},
		}}
	}
	xero := func(body string) wire {
		return wire{method: http.MethodPost, body: []byte(body), header: []field{
			{"x-xero-signature", base64.StdEncoding.EncodeToString(macOf(sha256.New, trapSecret, body))},
		}}
	}
	for name, test := range map[string]struct {
		preset, secret string
		wire           wire
		kind           string
		types          []string
		want           []string
	}{
		"SendGrid": {
			"sendgrid", base64.StdEncoding.EncodeToString(public), sendgrid(`[{"event":"bounce","sg_event_id":"1"},{"event":"open","sg_event_id":"2"}]`),
			"bounce,open", []string{"bounce"}, []string{"route"},
		},
		"Xero": {
			"xero", trapSecret, xero(`{"events":[{"eventCategory":"INVOICE","eventType":"CREATE"},{"eventCategory":"CONTACT","eventType":"UPDATE"}]}`),
			"INVOICE.CREATE,CONTACT.UPDATE", []string{"CONTACT.UPDATE"}, []string{"route"},
		},
		"Xero, what isn't there": {
			"xero", trapSecret, xero(`{"events":[{"eventCategory":"INVOICE","eventType":"CREATE"},{"eventCategory":"CONTACT","eventType":"UPDATE"}]}`),
			"INVOICE.CREATE,CONTACT.UPDATE", []string{"INVOICE.UPDATE"}, []string{""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := specimens[slices.IndexFunc(specimens, func(s specimen) bool { return s.preset == test.preset })]
			example := *s.example
			example.Secret, example.Now = test.secret, nil
			s.example, s.wire = &example, test.wire
			g := newGround(t, all, []specimen{s}, func(r *route.Route) {
				r.Routes = []route.EventRoute{{Name: "route", Match: match.Rule{Types: test.types}, Target: r.Target}}
			})
			status, record := g.send(t, &s, mutant{name: name, wire: s.wire})
			if status/100 != 2 || record.EventType != test.kind || !slices.Equal(g.accepted.targets, test.want) {
				t.Errorf("answered %d (%s), of the type %s, it goes to %q, want %q", status, record.ErrorMessage, record.EventType, g.accepted.targets, test.want)
			}
		})
	}
}

// TestCompressedBodyIsSignedBeforeOrAfter: the provider says which. What is kept and
// what routes see is the same.
func TestCompressedBodyIsSignedBeforeOrAfter(t *testing.T) {
	all := loadSenders(t)
	const text = `{"a":1}`
	body := compressed(t, text)
	for encoding, signed := range map[verify.ContentEncoding]string{verify.AsSent: body, verify.Decoded: text} {
		s := specimenOf(t, all, "hmac-sha256")
		example := *s.example
		example.Secret, example.Now = trapSecret, nil
		s.example, s.wire = &example, wire{method: http.MethodPost, body: []byte(body), header: []field{
			{"Content-Encoding", "gzip"}, {"X-Signature", "sha256=" + hexMAC(sha256.New, trapSecret, signed)},
		}}
		g := newGround(t, all, []specimen{s}, func(r *route.Route) {
			r.Provider.Schemes = slices.Clone(r.Provider.Schemes)
			r.Provider.Schemes[0].ContentEncoding = encoding
			r.Routes = []route.EventRoute{{Name: "route", Match: match.Rule{Expression: "event.body.a == 1"}, Target: r.Target}}
		})
		status, record := g.send(t, &s, mutant{name: string(encoding), wire: s.wire})
		if status/100 != 2 || record.BodyBytes != int64(len(body)) || !slices.Equal(g.accepted.targets, []string{"route"}) {
			t.Errorf("%s: answered %d (%s), it goes to %q", encoding, status, record.ErrorMessage, g.accepted.targets)
		}
	}
}
