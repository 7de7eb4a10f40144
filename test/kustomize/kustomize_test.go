// Package kustomize renders what people install, as kubectl does, and asks an API
// server whether it would take it.
package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const namespace = "sallyport-system"

// settings are what the components of gateway and ingress read the host from.
const settings = `configMapGenerator:
- name: sallyport-settings
  literals: [host=hooks.shop.test]
  options: {disableNameSuffixHash: true, annotations: {config.kubernetes.io/local-config: "true"}}
`

// objects are those of a rendered kustomization.
type objects []unstructured.Unstructured

// with renders config/default with components.
func with(t *testing.T, more string, components ...string) objects {
	t.Helper()
	text := "resources: [" + path(t, "default") + "]\ncomponents:\n"
	for _, component := range components {
		text += "- " + path(t, "components/"+component) + "\n"
	}
	return render(t, text+more)
}

// path is the way to a folder of config, from the folder that render works in.
func path(t *testing.T, folder string) string {
	t.Helper()
	to, err := filepath.Abs("../../config/" + folder)
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(work(t), to)
	if err != nil {
		t.Fatal(err)
	}
	return relative
}

// work is where kustomizations of tests are. kustomize goes up from it to this repository,
// and follows symbolic links first.
func work(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "kustomization")
}

// render has kubectl put a kustomization together.
func render(t *testing.T, text string) objects {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(work(t)), "kustomization-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kustomize(t, dir)
}

func kustomize(t *testing.T, dir string) objects {
	t.Helper()
	out, errOut := kubectl(t, nil, "kustomize", dir)
	if errOut != "" {
		t.Errorf("kubectl kustomize warns: %s", errOut)
	}
	var found objects
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(out), 4096); ; {
		var object unstructured.Unstructured
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, object)
	}
}

// kubectl is the one that hack/controlplane.sh gets.
func kubectl(t *testing.T, stdin []byte, args ...string) (stdout, stderr string) {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal("there is no kubectl: export KUBEBUILDER_ASSETS=$(hack/controlplane.sh)")
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return out.String(), errOut.String()
}

// has reports whether an object is there.
func (o objects) has(kind, name string) bool {
	return slices.ContainsFunc(o, func(u unstructured.Unstructured) bool { return u.GetKind() == kind && u.GetName() == name })
}

// get reads an object into a typed one, and refuses fields that the type doesn't have.
func get[T any](t *testing.T, o objects, kind, name string) *T {
	t.Helper()
	typed := new(T)
	for _, object := range o {
		if object.GetKind() != kind || object.GetName() != name {
			continue
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true); err != nil {
			t.Fatalf("%s %s: %v", kind, name, err)
		}
		return typed
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}

// env finds a variable of the first container of a Deployment.
func env(t *testing.T, o objects, deployment, name string) corev1.EnvVar {
	t.Helper()
	for _, variable := range get[appsv1.Deployment](t, o, "Deployment", deployment).Spec.Template.Spec.Containers[0].Env {
		if variable.Name == name {
			return variable
		}
	}
	t.Fatalf("%s has no variable %s", deployment, name)
	return corev1.EnvVar{}
}

// host checks that the host of the settings is the public URL.
func host(t *testing.T, o objects, want string) {
	t.Helper()
	if got := env(t, o, "sallyport-manager", "SALLYPORT_PUBLIC_URL").Value; got != "https://"+want {
		t.Errorf("the public URL is %s", got)
	}
	if o.has("ConfigMap", "sallyport-settings") {
		t.Error("the settings are installed")
	}
}

func TestExternalRedis(t *testing.T) {
	o := with(t, "", "external-redis")
	for _, kind := range []string{"StatefulSet", "Service", "NetworkPolicy"} {
		if o.has(kind, "sallyport-redis") {
			t.Errorf("the %s of our Redis is there", kind)
		}
	}
	for _, deployment := range []string{"sallyport-manager", "sallyport-receiver"} {
		url := env(t, o, deployment, "SALLYPORT_REDIS_URL")
		if url.Value != "" || url.ValueFrom == nil || url.ValueFrom.SecretKeyRef.Name != "sallyport-redis" || url.ValueFrom.SecretKeyRef.Key != "url" {
			t.Errorf("%s has the URL from %+v", deployment, url)
		}
	}
}

func TestValkey(t *testing.T) {
	tagged := regexp.MustCompile(`^(redis|valkey/valkey):\d+\.\d+\.\d+$`)
	for image, o := range map[string]objects{"redis": kustomize(t, "../../config/default"), "valkey/valkey": with(t, "", "valkey")} {
		got := get[appsv1.StatefulSet](t, o, "StatefulSet", "sallyport-redis").Spec.Template.Spec.Containers[0].Image
		if !tagged.MatchString(got) || !strings.HasPrefix(got, image+":") {
			t.Errorf("the image is %s, want %s with a tag that stays what it is", got, image)
		}
	}
}

func TestIngress(t *testing.T) {
	o := with(t, settings, "ingress")
	host(t, o, "hooks.shop.test")
	spec := get[networkingv1.Ingress](t, o, "Ingress", "sallyport").Spec
	if spec.Rules[0].Host != "hooks.shop.test" || spec.TLS[0].Hosts[0] != "hooks.shop.test" || spec.TLS[0].SecretName != "sallyport-tls" {
		t.Errorf("the Ingress is %+v", spec)
	}
}

func TestGateway(t *testing.T) {
	o := with(t, settings, "gateway")
	host(t, o, "hooks.shop.test")
	for _, object := range o {
		if object.GetKind() == "HTTPRoute" {
			if hosts, _, err := unstructured.NestedStringSlice(object.Object, "spec", "hostnames"); err != nil || !slices.Equal(hosts, []string{"hooks.shop.test"}) {
				t.Errorf("the hosts are %v, %v", hosts, err)
			}
		}
	}
	if !o.has("HTTPRoute", "sallyport") {
		t.Error("there is no HTTPRoute")
	}
}

func TestNetworkPolicies(t *testing.T) {
	o := with(t, "", "network-policies")
	for deployment, open := range map[string]string{"sallyport-manager": "events-api", "sallyport-receiver": "http"} {
		pods := get[appsv1.Deployment](t, o, "Deployment", deployment).Spec.Template
		spec := get[networkingv1.NetworkPolicy](t, o, "NetworkPolicy", deployment).Spec
		selector, err := metav1.LabelSelectorAsSelector(&spec.PodSelector)
		if err != nil || !selector.Matches(labelsOf(pods.Labels)) {
			t.Errorf("the policy %s doesn't select its pods: %v", deployment, err)
		}
		if !slices.Equal(spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) {
			t.Errorf("the policy %s is for %v", deployment, spec.PolicyTypes)
		}
		for _, rule := range spec.Ingress {
			name := rule.Ports[0].Port.StrVal
			if !slices.ContainsFunc(pods.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == name }) {
				t.Errorf("%s has no port %s", deployment, name)
			}
			if (len(rule.From) == 0) != (name == open) {
				t.Errorf("the port %s of %s is for %v", name, deployment, rule.From)
			}
		}
	}
}

// labelsOf are labels as selectors match them.
type labelsOf map[string]string

// Has, Get and Lookup implement labels.Labels.
func (l labelsOf) Has(key string) bool              { _, found := l[key]; return found }
func (l labelsOf) Get(key string) string            { return l[key] }
func (l labelsOf) Lookup(key string) (string, bool) { value, found := l[key]; return value, found }

func TestHighAvailability(t *testing.T) {
	o := with(t, "", "ha")
	if replicas := get[appsv1.Deployment](t, o, "Deployment", "sallyport-receiver").Spec.Replicas; replicas != nil {
		t.Errorf("the Deployment says %d receivers, against its HorizontalPodAutoscaler", *replicas)
	}
	scaler := get[autoscalingv2.HorizontalPodAutoscaler](t, o, "HorizontalPodAutoscaler", "sallyport-receiver").Spec
	if scaler.ScaleTargetRef.Name != "sallyport-receiver" || *scaler.MinReplicas < 2 {
		t.Errorf("the scaler is %+v", scaler)
	}
	for _, deployment := range []string{"sallyport-manager", "sallyport-receiver"} {
		pods := get[appsv1.Deployment](t, o, "Deployment", deployment).Spec.Template
		if got := pods.Spec.TopologySpreadConstraints; len(got) != 2 || got[0].TopologyKey != corev1.LabelHostname || got[0].WhenUnsatisfiable != corev1.DoNotSchedule || got[1].TopologyKey != corev1.LabelTopologyZone {
			t.Errorf("%s is spread by %+v", deployment, got)
		}
		budget := get[policyv1.PodDisruptionBudget](t, o, "PodDisruptionBudget", deployment).Spec
		if selector, err := metav1.LabelSelectorAsSelector(budget.Selector); err != nil || !selector.Matches(labelsOf(pods.Labels)) {
			t.Errorf("the budget %s doesn't select its pods: %v", deployment, err)
		}
	}
}

func TestPrometheusScrapesPortsThatAreThere(t *testing.T) {
	o := with(t, "", "prometheus")
	for _, deployment := range []string{"sallyport-manager", "sallyport-receiver"} {
		pods := get[appsv1.Deployment](t, o, "Deployment", deployment).Spec.Template
		monitor := *get[map[string]any](t, o, "PodMonitor", deployment)
		labels, _, _ := unstructured.NestedStringMap(monitor, "spec", "selector", "matchLabels")
		for key, value := range labels {
			if pods.Labels[key] != value {
				t.Errorf("the PodMonitor %s selects %s=%s", deployment, key, value)
			}
		}
		endpoints, _, _ := unstructured.NestedSlice(monitor, "spec", "podMetricsEndpoints")
		endpoint := endpoints[0].(map[string]any)
		if endpoint["honorLabels"] != true || !slices.ContainsFunc(pods.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == endpoint["port"] }) {
			t.Errorf("%s is scraped as %v", deployment, endpoint)
		}
	}
}

// TestAlertsAreThoseOfTheDocument: whoever changes one changes the other.
func TestAlertsAreThoseOfTheDocument(t *testing.T) {
	document, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(document), "| what | expression |\n")
	if !found {
		t.Fatal("docs/operations.md has no table of alerts")
	}
	var want, got []string
	for line := range strings.Lines(table) {
		match := regexp.MustCompile("^\\| .* \\| `(.+)` \\|\n$").FindStringSubmatch(line)
		if match != nil {
			want = append(want, match[1])
		} else if !strings.HasPrefix(line, "|") {
			break
		}
	}
	rule := *get[map[string]any](t, with(t, "", "prometheus"), "PrometheusRule", "sallyport")
	groups, _, _ := unstructured.NestedSlice(rule, "spec", "groups")
	rules, _, _ := unstructured.NestedSlice(groups[0].(map[string]any), "rules")
	for _, one := range rules {
		alert := one.(map[string]any)
		got = append(got, fmt.Sprint(alert["expr"]))
		annotations, _, _ := unstructured.NestedStringMap(alert, "annotations")
		severity, _, _ := unstructured.NestedString(alert, "labels", "severity")
		if annotations["summary"] == "" || annotations["description"] == "" || (severity != "warning" && severity != "critical") {
			t.Errorf("the alert %v says too little", alert)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the alerts are\n%s\nand the document has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestExample(t *testing.T) {
	text, err := os.ReadFile("../../config/overlays/example/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 30 {
		t.Errorf("the example has %d lines", lines)
	}
	o := kustomize(t, "../../config/overlays/example")
	host(t, o, "hooks.shop.example")
	ingress := get[networkingv1.Ingress](t, o, "Ingress", "sallyport")
	if ingress.Spec.Rules[0].Host != "hooks.shop.example" || *ingress.Spec.IngressClassName != "nginx" || ingress.Annotations["cert-manager.io/cluster-issuer"] == "" {
		t.Errorf("the Ingress is %+v", ingress)
	}
	if o.has("StatefulSet", "sallyport-redis") {
		t.Error("our own Redis is there")
	}
}

// builtIn are the groups of the API server's own kinds, and CRDs.
func builtIn(group string) bool {
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") && group != "gateway.networking.k8s.io"
}

// TestAPIServerTakesEverything tries what it knows the kinds of. A namespace that
// warns of pods that are not restricted stands for one that refuses them.
func TestAPIServerTakesEverything(t *testing.T) {
	environment := &envtest.Environment{}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/warn": "restricted"}}}
	if err := c.Create(t.Context(), home); err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]objects{
		"default":        kustomize(t, "../../config/default"),
		"all components": with(t, settings, "external-redis", "ingress", "network-policies", "ha"),
		"example":        kustomize(t, "../../config/overlays/example"),
	} {
		var manifest bytes.Buffer
		for _, object := range o {
			if !builtIn(object.GroupVersionKind().Group) || object.GetKind() == "Namespace" {
				continue
			}
			text, err := object.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&manifest, "---\n%s\n", text)
		}
		out, warnings := kubectl(t, manifest.Bytes(), "--kubeconfig", kubeconfig, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
		if warnings != "" {
			t.Errorf("%s: the API server warns: %s", name, warnings)
		}
		if n := strings.Count(out, "serverside-applied"); n < 20 {
			t.Errorf("%s: the API server took %d objects", name, n)
		}
	}
}
