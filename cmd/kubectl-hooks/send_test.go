package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/test/cluster"
)

const sharedSecret = "it's a $ecret: 100%"

// receiver stands for the receivers: it notes requests and gives an answer.
type receiver struct {
	*httptest.Server
	status   int
	answer   string
	requests []*http.Request
	bodies   []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK, answer: `{"status":"accepted","eventId":"x","requestId":"req-1"}`}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.requests, r.bodies = append(r.requests, request), append(r.bodies, string(body))
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.answer)
	}))
	t.Cleanup(r.Close)
	return r
}

// newSender makes an endpoint of a provider with a secret, in a namespace of its own.
func newSender(t *testing.T, provider, value string) *v1alpha1.WebhookEndpoint {
	t.Helper()
	namespace := newNamespace(t)
	create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "webhook"},
		Data:       map[string][]byte{"secret": []byte(value + "\n")},
	})
	return newEndpoint(t, namespace, "hook", provider, nil)
}

func publish(t *testing.T, endpoint *v1alpha1.WebhookEndpoint, url string) {
	t.Helper()
	endpoint.Status.URL = url
	if err := api.Status().Update(t.Context(), endpoint); err != nil {
		t.Fatal(err)
	}
}

func name(endpoint *v1alpha1.WebhookEndpoint) string {
	return fullName(endpoint.Namespace, endpoint.Name)
}

func hexHMAC(secret, content string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(content))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestSendSignsAsGitHubDoes(t *testing.T) {
	r := newReceiver(t)
	endpoint := newSender(t, "github", sharedSecret)
	publish(t, endpoint, r.URL+"/team/hook")
	stdout, _, err := call{stdin: `{"zen": "Keep it logically awesome."}`}.run(t, "send", name(endpoint),
		"--body", "-", "--type", "ping", "--event-id", "delivery-1", "-H", "X-Extra=1", "-H", "X-Other: a=b")
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stdout, "POST "+r.URL+"/team/hook", "event delivery-1 of the type ping", "200 OK", "accepted", "request id req-1")
	if strings.Contains(stdout, sharedSecret) {
		t.Errorf("the secret is shown: %s", stdout)
	}
	got := r.requests[0].Header
	for header, want := range map[string]string{
		"X-Hub-Signature-256": "sha256=" + hexHMAC(sharedSecret, r.bodies[0]),
		"X-Github-Event":      "ping",
		"X-Github-Delivery":   "delivery-1",
		"X-Extra":             "1",
		"X-Other":             "a=b",
		"Content-Type":        "application/json",
	} {
		if got.Get(header) != want {
			t.Errorf("%s is %q, want %q", header, got.Get(header), want)
		}
	}
}

func TestSendTakesAnExampleOfTheProvider(t *testing.T) {
	r := newReceiver(t)
	endpoint := newSender(t, "stripe", sharedSecret)
	stdout, _, err := hooks(t, "send", name(endpoint), "--url", r.URL+"/", "--show")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.requests[0].URL.Path; got != "/" {
		t.Errorf("the path is %s: the endpoint has none yet", got)
	}
	wantContains(t, stdout, "> Stripe-Signature: t=", "signed as Stripe signs")
	if !strings.Contains(r.bodies[0], `"id"`) {
		t.Errorf("the body is %q", r.bodies[0])
	}
}

func TestSendFailsUnlessTheAnswerIs2xx(t *testing.T) {
	r := newReceiver(t)
	endpoint := newSender(t, "github", sharedSecret)
	for status, says := range map[int]string{
		401: "is it the secret that the endpoint serves", 404: "no endpoint is at that path", 503: "the endpoint can't serve now", 500: "see what is at that URL",
		302: "redirects are not followed",
	} {
		r.status, r.answer = status, `{"error":"because of \u001b[2J","requestId":"r"}`
		stdout, _, err := hooks(t, "send", name(endpoint), "--url", r.URL)
		wantError(t, err, says)
		wantContains(t, stdout, ": because of \ufffd[2J\nrequest id r\n")
		if strings.Contains(stdout, "\x1b") {
			t.Errorf("the answer steers the terminal: %q", stdout)
		}
	}
}

func TestSendSaysWhatIsMissing(t *testing.T) {
	r := newReceiver(t)
	namespace := newNamespace(t)
	newEndpoint(t, namespace, "no-secret", "github", nil)
	newEndpoint(t, namespace, "no-provider", "no-such-thing", nil)
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"no-secret"}, "there is no Secret " + namespace + "/webhook"},
		{[]string{"no-provider"}, "there is no WebhookProvider no-such-thing"},
		{[]string{"no-secret", "--body", "-", "--secret-file", "-"}, "can't both be read from standard input"},
		{[]string{"no-secret", "--secret-file", os.DevNull}, "holds nothing"},
		{[]string{"no-secret", "--secret-file", "/nonexistent"}, "--secret-file"},
		{[]string{"no-secret", "-H", "nonsense", "--secret-file", "/etc/hostname"}, "write name=value"},
		{[]string{"no-secret", "--scheme", "nonsense", "--secret-file", "/etc/hostname"}, "sha256"},
	} {
		_, _, err := hooks(t, append([]string{"send", "-n", namespace, "--url", r.URL}, test.args...)...)
		wantError(t, err, test.says)
	}
	create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "webhook"}, Data: map[string][]byte{"other": []byte("x")}})
	_, _, err := hooks(t, "send", "-n", namespace, "--url", r.URL, "no-secret")
	wantError(t, err, `has no entry "secret"`)
	if len(r.requests) > 0 {
		t.Errorf("%d requests were sent", len(r.requests))
	}
}

// Who may read endpoints but no Secrets has the secret in a file.
func TestSendWithoutTheRightToReadSecrets(t *testing.T) {
	r := newReceiver(t)
	endpoint := newSender(t, "github", sharedSecret)
	create(t, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: endpoint.Namespace, Name: "endpoints"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.SchemeGroupVersion.Group}, Resources: []string{"webhookendpoints"}, Verbs: []string{"get"}}},
	})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: endpoint.Namespace, Name: "endpoints"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "endpoints"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "jane"}},
	})
	err := cluster.AwaitRight(t.Context(), api, "jane", nil, authorizationv1.ResourceAttributes{
		Verb: "get", Group: v1alpha1.SchemeGroupVersion.Group, Resource: "webhookendpoints", Namespace: endpoint.Namespace,
	})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"send", name(endpoint), "--url", r.URL, "--as", "jane"}
	_, _, err = hooks(t, args...)
	wantError(t, err, "you may not read the Secret "+endpoint.Namespace+"/webhook", "--secret-file")

	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(sharedSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, err := hooks(t, append(args, "--secret-file", file)...)
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stderr, "you may not read the WebhookProvider github: the built-in preset is used")
	if want := "sha256=" + hexHMAC(sharedSecret, r.bodies[0]); r.requests[0].Header.Get("X-Hub-Signature-256") != want {
		t.Errorf("the signature is %s", r.requests[0].Header.Get("X-Hub-Signature-256"))
	}
}

// The cluster's provider counts, not the preset of the same name.
func TestSendReadsTheProviderOfTheCluster(t *testing.T) {
	r := newReceiver(t)
	object, err := provider.Preset("github")
	if err != nil {
		t.Fatal(err)
	}
	object.Name = "own-github"
	object.Spec.Verify[0].Signature.From[0].Header = "X-Own-Signature"
	for i := range object.Spec.Tests {
		for j := range object.Spec.Tests[i].Request.Headers {
			if header := &object.Spec.Tests[i].Request.Headers[j]; strings.EqualFold(header.Name, "X-Hub-Signature-256") {
				header.Name = "X-Own-Signature"
			}
		}
	}
	create(t, object)
	t.Cleanup(func() {
		_ = api.Delete(t.Context(), &v1alpha1.WebhookProvider{ObjectMeta: metav1.ObjectMeta{Name: object.Name}}, client.GracePeriodSeconds(0))
	})
	endpoint := newSender(t, object.Name, sharedSecret)
	if _, _, err := hooks(t, "send", name(endpoint), "--url", r.URL); err != nil {
		t.Fatal(err)
	}
	if got := r.requests[0].Header.Get("X-Own-Signature"); got != "sha256="+hexHMAC(sharedSecret, r.bodies[0]) {
		t.Errorf("the signature is %q", got)
	}
}

// A shell runs the command of --dry-run with a curl and a kubectl that we are: what
// curl gets is what send would have sent, and no secret is in the command.
func TestDryRunIsACommandOfCurl(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }
	for provider, test := range map[string]struct{ value, header, want, says string }{
		"github": {sharedSecret, "X-Hub-Signature-256: ", "", "names no time"},
		"stripe": {sharedSecret, "Stripe-Signature: t=1795608000,v1=", "", "is valid until"},
		"gitlab": {sharedSecret, "X-Gitlab-Token: ", "X-Gitlab-Token: " + sharedSecret, "names no time"},
		"alertmanager-basic": {
			"user:" + sharedSecret, "Authorization: Basic ",
			"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+sharedSecret)), "names no time",
		},
	} {
		t.Run(provider, func(t *testing.T) {
			endpoint := newSender(t, provider, test.value)
			stdout, stderr, err := call{now: now, stdin: "{\"it's\": \"a $body\"}\n"}.run(t, "send", name(endpoint),
				"--url", "https://hooks.example.com/it's", "--body", "-", "--dry-run")
			if err != nil {
				t.Fatal(err)
			}
			wantContains(t, stderr, test.says)
			for _, form := range []string{test.value, base64.StdEncoding.EncodeToString([]byte(test.value)), human.ShellWord(test.value)} {
				if strings.Contains(stdout, form) {
					t.Fatalf("the secret is in the command:\n%s", stdout)
				}
			}
			words := runCurl(t, stdout, test.value)
			if !slices.ContainsFunc(words, func(word string) bool {
				return strings.HasPrefix(word, test.header) && (test.want == "" || word == test.want)
			}) {
				t.Errorf("curl gets %q, want a header %s%s", words, test.header, test.want)
			}
			if words[len(words)-1] != "https://hooks.example.com/it's" || !slices.ContainsFunc(words, func(word string) bool {
				return strings.HasPrefix(word, "{\"it's\": \"a $body\"")
			}) {
				t.Errorf("curl gets %q", words)
			}
		})
	}
}

// runCurl returns the arguments with which a shell starts curl.
func runCurl(t *testing.T, command, secret string) []string {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", `
kubectl() { printf '%s\n' "$ENCODED"; }
curl() { printf '%s\0' "$@"; }
`+command)
	shell.Env = append(os.Environ(), "ENCODED="+base64.StdEncoding.EncodeToString([]byte(secret+"\n")))
	output, err := shell.Output()
	if err != nil {
		t.Fatalf("the shell fails: %v\n%s", err, command)
	}
	return strings.Split(strings.TrimSuffix(string(output), "\x00"), "\x00")
}

func TestDryRunPipesWhatIsNoText(t *testing.T) {
	endpoint := newSender(t, "github", sharedSecret)
	stdout, _, err := call{stdin: "\xff\x00\xfe"}.run(t, "send", name(endpoint), "--url", "https://hooks.example.com/x", "--body", "-", "--dry-run")
	if err != nil {
		t.Fatal(err)
	}
	wantContains(t, stdout, "echo /wD+ | base64 --decode | curl", "--data-binary @-")
}
