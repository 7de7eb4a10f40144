package send_test

import (
	"errors"
	"slices"
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/send"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// unnumbered are the presets whose samples are the same event each time: their
// senders number nothing, at least not in the examples.
var unnumbered = []string{
	"airtable", "alertmanager", "alertmanager-basic", "asana", "braintree", "buildkite", "calendly", "discord", "docker-hub",
	"dropbox", "flux", "grafana", "grafana-timestamped", "lemonsqueezy", "mailchimp", "mandrill",
	"meta", "netlify", "onfido", "plaid", "pusher", "x-twitter", "xero", "zoom",
}

// TestSamplesOfPresets: a sample of each preset can be sent, and sent again as
// another event.
func TestSamplesOfPresets(t *testing.T) {
	for _, provider := range presets(t) {
		name := provider.Name
		t.Run(name, func(t *testing.T) {
			first, err := sendSample(t, provider, "")
			if errors.Is(err, verify.ErrSenderOnly) && unsignable[name+"/"+provider.Spec.Verify[0].Name] != "" {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			second, err := sendSample(t, provider, "")
			if err != nil {
				t.Fatal(err)
			}
			if same := first.EventID == second.EventID; same != slices.Contains(unnumbered, name) {
				t.Errorf("the ids are %s and %s", first.EventID, second.EventID)
			}
		})
	}
}

// sendSample builds a request of a sample for a scheme, with the secret and the
// parameters of the provider's first example that the scheme accepts.
func sendSample(t *testing.T, provider *v1alpha1.WebhookProvider, scheme string) (send.Request, error) {
	t.Helper()
	sample, ok := send.Sample(provider, scheme)
	if !ok {
		t.Fatal("there is no sample")
	}
	i := slices.IndexFunc(provider.Spec.Tests, func(test v1alpha1.ProviderTest) bool { return scheme != "" && test.Expect.Scheme == scheme })
	example := &provider.Spec.Tests[max(i, 0)]
	o := send.Options{
		Provider: provider, Endpoint: &v1alpha1.WebhookEndpoint{Spec: v1alpha1.WebhookEndpointSpec{Parameters: example.Parameters}},
		URL: "http://127.0.0.1/?" + sample.Query, PublicURL: "https://hooks.example.com/a/b", Method: sample.Method, Body: sample.Body, Headers: sample.Header, EventType: sample.EventType, Now: times[0],
		Scheme: scheme, Secret: secret.New([]byte(example.Secret)),
	}
	for _, s := range provider.Spec.Verify {
		if generate := privateKeys[provider.Name+"/"+s.Name]; generate != nil {
			o.PrivateKey, o.Secret = generate(t), secret.Value{}
		}
	}
	return send.Build(o)
}

// TestSamplesOfSchemes: whichever scheme of whichever preset is asked for signs a
// sample, where anybody but the sender can, and leaves nothing of another scheme in it.
func TestSamplesOfSchemes(t *testing.T) {
	for _, provider := range presets(t) {
		name := provider.Name
		for _, scheme := range provider.Spec.Verify {
			if unsignable[name+"/"+scheme.Name] != "" {
				continue
			}
			built, err := sendSample(t, provider, scheme.Name)
			if err != nil || built.Scheme != scheme.Name {
				t.Errorf("%s is signed by %q, not by %s: %v", name, built.Scheme, scheme.Name, err)
			}
		}
	}
	built, err := sendSample(t, preset(t, "svix"), "unbranded")
	if err != nil || built.Header.Get("Webhook-Id") == "" || built.Header.Get("Svix-Id") != "" || built.Header.Get("Svix-Timestamp") != "" {
		t.Errorf("the headers are %v, %v", built.Header, err)
	}
	if built, err = sendSample(t, preset(t, "gitlab"), "secret-token"); err != nil || built.Header.Get("Webhook-Timestamp") != "" {
		t.Errorf("the headers are %v, %v", built.Header, err)
	}
}

// TestSampleShowsNoSignature: what is in a sample is shown to people, and a
// signature that is not of the sample's body would mislead them.
func TestSampleShowsNoSignature(t *testing.T) {
	sample, ok := send.Sample(preset(t, "github"), "")
	if !ok || len(sample.Body) == 0 || sample.EventType != "ping" || sample.Header.Get("X-GitHub-Event") != "ping" {
		t.Fatalf("the sample is %s %v", sample.Body, sample)
	}
	if sample.Header.Get("X-Hub-Signature-256") != "" || sample.Header.Get("X-GitHub-Delivery") == "" {
		t.Errorf("the header is %v", sample.Header)
	}
}

// TestSampleOfNothing: a provider without an example that is an event has no sample.
func TestSampleOfNothing(t *testing.T) {
	provider := preset(t, "github")
	provider.Spec.Tests = slices.DeleteFunc(provider.Spec.Tests, func(test v1alpha1.ProviderTest) bool { return test.Expect.ID != "" })
	if _, ok := send.Sample(provider, ""); ok {
		t.Error("there is a sample")
	}
	provider.Spec.Verify[0].Content = "{nothing}"
	if _, ok := send.Sample(provider, ""); ok {
		t.Error("a provider that is not valid has a sample")
	}
}
