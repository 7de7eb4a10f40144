package compile

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

var update = flag.Bool("update", false, "write testdata/*/want.yaml anew")

// Each folder of testdata is a case: in.yaml is what the cluster holds, as the
// API server stores it, the endpoint to compile first; want.yaml is what comes
// of it. Providers that the cluster doesn't hold are in testdata/providers.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/in.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("there are no cases: %v", err)
	}
	for _, in := range cases {
		dir := filepath.Dir(in)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			cluster := readCluster(t, in)
			got := render(t, Endpoint(cluster.input(t)))
			cluster.mustNotShowSecrets(t, got)

			want := filepath.Join(dir, "want.yaml")
			if *update {
				if err := os.WriteFile(want, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, want)), string(got)); diff != "" {
				t.Errorf("%s differs; if that is meant, write it with `go test ./controllers/compile -update` (-want +got):\n%s", want, diff)
			}
		})
	}
}

// cluster is what an in.yaml holds.
type cluster struct {
	endpoints []v1alpha1.WebhookEndpoint
	providers map[string]*v1alpha1.WebhookProvider
	secrets   map[string]*corev1.Secret
	services  map[string]*corev1.Service
	configs   map[string]*corev1.ConfigMap
	settings  Settings
	published *published
	documents documents
}

// published is what is remembered of the published route.
type published struct {
	metav1.TypeMeta
	Keys []struct {
		Value        string     `json:"value"`
		ReplacedTime *time.Time `json:"replacedTime"`
	} `json:"keys"`
	Fetched map[string]string `json:"fetched"`
}

// documents are what senders publish, by URL.
type documents struct {
	metav1.TypeMeta
	Documents map[string]struct {
		Text    string `json:"text"`
		Problem string `json:"problem"`
	} `json:"documents"`
}

func readCluster(t *testing.T, file string) *cluster {
	t.Helper()
	c := &cluster{
		providers: map[string]*v1alpha1.WebhookProvider{},
		secrets:   map[string]*corev1.Secret{},
		services:  map[string]*corev1.Service{},
		configs:   map[string]*corev1.ConfigMap{},
		settings:  Settings{PublicURL: "https://hooks.example.com", ReceiverHost: "sallyport-receiver.sallyport-system.svc.cluster.local"},
	}
	for document := range bytes.SplitSeq(read(t, file), []byte("\n---\n")) {
		c.add(t, document)
	}
	if len(c.endpoints) == 0 {
		t.Fatalf("%s holds no WebhookEndpoint", file)
	}
	return c
}

func (c *cluster) add(t *testing.T, document []byte) {
	t.Helper()
	var kind metav1.TypeMeta
	parse(t, document, &kind, yaml.Unmarshal)
	switch kind.Kind {
	case "WebhookEndpoint":
		c.endpoints = append(c.endpoints, v1alpha1.WebhookEndpoint{})
		parse(t, document, &c.endpoints[len(c.endpoints)-1], yaml.UnmarshalStrict)
	case "Secret":
		secret := &corev1.Secret{}
		parse(t, document, secret, yaml.UnmarshalStrict)
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		for key, text := range secret.StringData { // as the API server does
			secret.Data[key] = []byte(text)
		}
		c.secrets[secret.Name] = secret
	case "Service":
		service := &corev1.Service{}
		parse(t, document, service, yaml.UnmarshalStrict)
		c.services[service.Name] = service
	case "ConfigMap":
		config := &corev1.ConfigMap{}
		parse(t, document, config, yaml.UnmarshalStrict)
		c.configs[config.Name] = config
	case "Settings": // ours: the flags of the manager
		c.settings = Settings{}
		parse(t, document, &struct {
			metav1.TypeMeta
			*Settings
		}{Settings: &c.settings}, yaml.UnmarshalStrict)
	case "Published": // ours: what the manager wrote before
		c.published = &published{}
		parse(t, document, c.published, yaml.UnmarshalStrict)
	case "Documents": // ours
		parse(t, document, &c.documents, yaml.UnmarshalStrict)
	default:
		t.Fatalf("a cluster holds no %q", kind.Kind)
	}
}

// input gathers what the first endpoint depends on.
func (c *cluster) input(t *testing.T) Input {
	t.Helper()
	endpoint := &c.endpoints[0]
	in := Input{
		Endpoint: endpoint,
		Rivals:   c.endpoints[1:],
		Sender:   sender(t, endpoint.Spec.Provider),
		Services: c.services, Authorities: c.configs,
		Alias:    c.services[route.ServiceName(endpoint.Name)],
		Settings: c.settings,
		Now:      noon,
	}
	if ref := endpoint.Spec.SecretRef; ref != nil && c.secrets[ref.Name] != nil {
		in.Secret = SecretFacts{Found: true, Entries: c.secrets[ref.Name].Data}
	}
	in.Signing = map[string]SecretFacts{}
	for name := range SigningEntries(endpoint) {
		if c.secrets[name] != nil {
			in.Signing[name] = SecretFacts{Found: true, Entries: c.secrets[name].Data}
		}
	}
	if c.published != nil {
		in.Published = c.published.route(endpoint)
	}
	in.Fetched = map[verify.FetchSource]Document{}
	for _, source := range KeySources(endpoint, in.Sender, in.Secret) {
		document := c.documents.Documents[source.URL]
		keys, err := source.Keys([]byte(document.Text))
		if err != nil && document.Text != "" {
			t.Fatal(err)
		}
		in.Fetched[source] = Document{Keys: keys, Problem: document.Problem}
	}
	return in
}

func (p *published) route(endpoint *v1alpha1.WebhookEndpoint) *route.Route {
	r := &route.Route{Endpoint: route.Endpoint{UID: string(endpoint.UID)}, Fetched: p.Fetched}
	for _, key := range p.Keys {
		r.Keys = append(r.Keys, route.Key{ReplacedTime: key.ReplacedTime, Value: secret.New([]byte(key.Value))})
	}
	return r
}

// sender compiles a provider of testdata/providers; nil: there is none.
func sender(tb testing.TB, name string) *provider.Sender {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "providers", name+".yaml"))
	if os.IsNotExist(err) {
		return nil
	}
	object := &v1alpha1.WebhookProvider{}
	parse(tb, text, object, yaml.UnmarshalStrict)
	return provider.Compile(object)
}

// mustNotShowSecrets looks for every value of every Secret, and for its parts.
func (c *cluster) mustNotShowSecrets(t *testing.T, output []byte) {
	t.Helper()
	for _, secret := range c.secrets {
		for key, value := range secret.Data {
			for _, part := range regexp.MustCompile(`\S{4,}`).FindAll(value, -1) {
				if bytes.Contains(output, part) {
					t.Errorf("the output shows %q of the entry %q of the Secret %q", part, key, secret.Name)
				}
			}
		}
	}
	if c.published != nil {
		for _, key := range c.published.Keys {
			if bytes.Contains(output, []byte(key.Value)) {
				t.Errorf("the output shows the previous secret %q", key.Value)
			}
		}
	}
}

// result is how a Result is written down. Keys show only how long they are.
type result struct {
	URL          string         `json:"url,omitempty"`
	Accepted     []shownProblem `json:"accepted,omitempty"`
	ResolvedRefs []shownProblem `json:"resolvedRefs,omitempty"`
	Programmed   []shownProblem `json:"programmed,omitempty"`
	Notes        []string       `json:"notes,omitempty"`
	Alias        *aliased       `json:"alias,omitempty"`
	Rotation     *Rotation      `json:"rotation,omitempty"`
	Recheck      time.Time      `json:"recheck,omitzero"`
	KeyBytes     []int          `json:"keyBytes,omitempty"`
	ParamBytes   []int          `json:"parameterBytes,omitempty"`
	SigningBytes []int          `json:"signingBytes,omitempty"`
	Route        *route.Route   `json:"route,omitempty"`
}

func targetsOf(r *route.Route) []route.Target {
	all := []route.Target{r.Target}
	for i := range r.Routes {
		all = append(all, r.Routes[i].Target)
	}
	return all
}

type shownProblem struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type aliased struct {
	Name string `json:"name"`
	Host string `json:"host"`
}

func render(t *testing.T, r Result) []byte {
	t.Helper()
	shown := result{
		URL: r.URL, Notes: r.Notes, Alias: (*aliased)(r.Alias), Route: r.Route, Rotation: r.Rotation, Recheck: r.Recheck,
		Accepted: problems(r.Accepted), ResolvedRefs: problems(r.ResolvedRefs), Programmed: problems(r.Programmed),
	}
	if r.Route != nil {
		for _, key := range r.Route.Keys {
			shown.KeyBytes = append(shown.KeyBytes, len(key.Value.Reveal()))
		}
		for _, parameter := range r.Route.Parameters {
			shown.ParamBytes = append(shown.ParamBytes, len(parameter.Value.Reveal()))
		}
		for _, target := range targetsOf(r.Route) {
			if target.Signing != nil {
				shown.SigningBytes = append(shown.SigningBytes, len(target.Signing.Key.Reveal()))
			}
		}
	}
	text, err := yaml.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func problems(in Problems) []shownProblem {
	var out []shownProblem
	for _, p := range in {
		out = append(out, shownProblem(p))
	}
	return out
}

func read(tb testing.TB, file string) []byte {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

type unmarshal func([]byte, any, ...yaml.JSONOpt) error

func parse(tb testing.TB, text []byte, into any, how unmarshal) {
	tb.Helper()
	if err := how(text, into); err != nil {
		tb.Fatal(fmt.Errorf("%w in\n%s", err, text))
	}
}
