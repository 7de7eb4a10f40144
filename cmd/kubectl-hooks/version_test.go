package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// deployment is one of ours, as far as its version goes.
func deployment(name, label, image string) *appsv1.Deployment {
	labels := map[string]string{partOfLabel: "sallyport"}
	if label != "" {
		labels[versionLabel] = label
	}
	pods := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pods},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pods},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image}}},
			},
		},
	}
}

func TestVersionOfTheClientNeedsNoCluster(t *testing.T) {
	out, _, err := hooks(t, "--kubeconfig=/nonexistent", "version", "--client")
	if err != nil || !strings.HasPrefix(out, "kubectl-hooks (devel) ") || strings.Count(out, "\n") != 1 {
		t.Errorf("the answer is %q, error %v", out, err)
	}
}

func TestVersionsOfTheCluster(t *testing.T) {
	out, said, err := hooks(t, "version")
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(said, "There is no Sallyport in the cluster") {
		t.Errorf("without a Sallyport the answer is %q, %q, error %v", out, said, err)
	}
	for _, d := range []*appsv1.Deployment{
		deployment("sallyport-manager", "v0.1.0", "example.test/sallyport-manager@sha256:"+strings.Repeat("0", 64)),
		deployment("sallyport-receiver", "", "example.test:5000/sallyport-receiver:v0.2.0"),
	} {
		if err := api.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = api.Delete(t.Context(), d) })
	}
	out, _, err = hooks(t, "version")
	for _, want := range []string{"sallyport-manager v0.1.0 in the namespace default\n", "sallyport-receiver v0.2.0 in the namespace default\n"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("the answer is %q, error %v, want %q in it", out, err, want)
		}
	}
}

func TestWhoMayNotListDeploymentsIsToldTheVersionOfTheClient(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		answer(w, http.StatusForbidden, metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden})
	}))
	defer server.Close()
	out, _, err := hooks(t, "--server", server.URL, "version")
	if err == nil || !strings.Contains(err.Error(), "--client leaves that out") || !strings.HasPrefix(out, "kubectl-hooks ") {
		t.Errorf("the answer is %q, error %v", out, err)
	}
	want := "/apis/apps/v1/deployments /apis/apps/v1/namespaces/sallyport-system/deployments"
	if got := strings.Join(asked, " "); got != want {
		t.Errorf("it asked for %s, want %s", got, want)
	}
}

func TestServerVersion(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	for image, want := range map[string]string{
		"sallyport-manager:v1":                  "v1",
		"registry.test:5000/a/manager:v1":       "v1",
		"registry.test:5000/a/manager":          "(unknown)",
		"registry.test/a/manager:v1" + digest:   "v1",
		"registry.test:5000/a/manager" + digest: "(unknown)",
	} {
		if got := serverVersion(deployment("a", "", image)); got != want {
			t.Errorf("%s is the version %s, want %s", image, got, want)
		}
	}
}

func TestTooFarApart(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"v0.1.0", "v0.2.3"}:      false,
		{"v0.1.0-rc.1", "v0.2.0"}: false,
		{"v0.1.0", "v0.3.0"}:      true,
		{"v0.3.0", "v0.1.0"}:      true,
		{"v1.0.0", "v0.9.0"}:      true,
		{"(devel)", "v0.9.0"}:     false,
		{"v0.1.0", "latest"}:      false,
	} {
		if got := tooFarApart(pair[0], pair[1]); got != want {
			t.Errorf("%s and %s are too far apart: %t, want %t", pair[0], pair[1], got, want)
		}
	}
}

func TestThePluginIsCalledAsItsFileIs(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for file, want := range map[string]string{
		"kubectl-hooks": "kubectl hooks", "kubectl-sallyport": "kubectl sallyport", "hooks": programName,
	} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		if got := displayName(path); got != want {
			t.Errorf("%s is called %s, want %s", file, got, want)
		}
		if got := displayName(file); got != programName {
			t.Errorf("%s without its folder is called %s, want %s", file, got, programName)
		}
	}
}
