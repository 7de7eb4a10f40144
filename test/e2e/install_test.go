//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kustomization is one that takes a folder of this repository, and other images.
type kustomization struct {
	Resources []string       `json:"resources"`
	Images    []imageInstead `json:"images"`
}

type imageInstead struct {
	Name    string `json:"name"`
	NewName string `json:"newName"`
	NewTag  string `json:"newTag,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// instead has kustomize take another image.
func instead(name, image string) imageInstead {
	if name, digest, ok := strings.Cut(image, "@"); ok {
		return imageInstead{Name: name, NewName: name, Digest: digest}
	}
	repository, tag := image, ""
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		repository, tag = image[:colon], image[colon+1:]
	}
	return imageInstead{Name: name, NewName: repository, NewTag: tag}
}

// kustomize writes a kustomization and returns its folder.
func (c *cluster) kustomize(t *testing.T, folder string, images ...imageInstead) string {
	t.Helper()
	dir := filepath.Join(c.dir, filepath.Base(folder))
	must(t, os.MkdirAll(dir, 0o750))
	base, err := filepath.Rel(dir, filepath.Join(c.root, folder)) // it takes no absolute paths
	must(t, err)
	content, err := json.Marshal(kustomization{Resources: []string{base}, Images: images}) // JSON is YAML
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), content, 0o600))
	return dir
}

func (c *cluster) installation(t *testing.T) string {
	t.Helper()
	return c.kustomize(t, "config/default",
		instead("sallyport-manager", image("manager", "sallyport-manager:e2e")),
		instead("sallyport-receiver", image("receiver", "sallyport-receiver:e2e")),
		instead("redis", image("redis", "redis:8.2.2")))
}

func (c *cluster) manifests(t *testing.T) string {
	t.Helper()
	return c.kustomize(t, "test/e2e/manifests", instead("sallyport-agent", image("agent", "sallyport-agent:e2e")))
}

// install applies everything and waits for pods that are ready.
func install(t *testing.T, c *cluster) {
	c.provideVolume(t)
	begin := time.Now()
	c.kubectl(t, "apply", "-k", c.installation(t))
	c.rollout(t, "statefulset/sallyport-redis", "deployment/sallyport-manager", "deployment/sallyport-receiver")
	t.Logf("ready %.1f s after kubectl apply", time.Since(begin).Seconds())
}

// expectRestricted checks what the namespace takes, and what the pods are: the
// Pod Security Standard "restricted", and more.
func expectRestricted(t *testing.T, c *cluster) {
	root := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "root"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "root", Image: "root"}}},
	}
	_, err := c.kube.CoreV1().Pods(system).Create(c.ctx, &root, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a pod that may run as root is answered %v, want that it is forbidden", err)
	}
	pods, err := c.kube.CoreV1().Pods(system).List(c.ctx, metav1.ListOptions{})
	must(t, err)
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			if complaint := unrestricted(container); complaint != "" {
				t.Errorf("the container %s of %s has %s", container.Name, pod.Name, complaint)
			}
		}
	}
	c.expectEvictable(t)
}

// unrestricted returns what a container should have, and hasn't.
func unrestricted(container corev1.Container) string {
	switch {
	case container.SecurityContext == nil || container.SecurityContext.ReadOnlyRootFilesystem == nil || !*container.SecurityContext.ReadOnlyRootFilesystem:
		return "a root file system that can be written"
	case container.ReadinessProbe == nil || container.LivenessProbe == nil:
		return "not both probes"
	case container.Resources.Requests.Cpu().IsZero() || container.Resources.Requests.Memory().IsZero():
		return "no requests for CPU and memory"
	case container.Resources.Limits.Memory().IsZero():
		return "no limit of memory"
	}
	return ""
}

// expectEvictable checks that a node can be drained, and takes one receiver at a time.
func (c *cluster) expectEvictable(t *testing.T) {
	t.Helper()
	c.kubectl(t, "-n", system, "wait", "--for=jsonpath={.status.disruptionsAllowed}=1", "poddisruptionbudget/sallyport-receiver", "--timeout=30s")
	err := c.kube.CoreV1().Pods(system).EvictV1(c.ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Name: c.pods(t, "sallyport-receiver")[0].Name, Namespace: system},
		DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}},
	})
	if err != nil {
		t.Errorf("a receiver can't be evicted: %v", err)
	}
}

// applySamples waits as a user's pipeline does.
func applySamples(t *testing.T, c *cluster) {
	c.kubectl(t, "apply", "-k", c.manifests(t))
	begin := time.Now()
	c.kubectl(t, "-n", team, "wait", "--for=condition=Ready", "webhookendpoints", "--all", "--timeout=60s")
	t.Logf("endpoints Ready %.1f s after kubectl apply", time.Since(begin).Seconds())
	for _, pod := range []string{target.String(), sender.String()} {
		namespace, name, _ := strings.Cut(pod, "/")
		c.kubectl(t, "-n", namespace, "wait", "--for=condition=Ready", "pod/"+name, "--timeout="+rolloutTimeout)
	}
}

// remove takes everything away as docs/installation.md says, and looks for what is left.
func remove(t *testing.T, c *cluster) {
	begin := time.Now()
	c.kubectl(t, "delete", "-k", c.installation(t), "--timeout="+rolloutTimeout)
	t.Logf("gone %.1f s after kubectl delete", time.Since(begin).Seconds())
	c.removed = true

	for _, kind := range []string{
		"namespaces", "customresourcedefinitions", "apiservices", "persistentvolumes", "clusterroles", "clusterrolebindings",
		"validatingadmissionpolicies", "validatingadmissionpolicybindings",
	} {
		names := c.kubectl(t, "get", kind, "-o", "name")
		for name := range strings.Lines(names) {
			if name = strings.TrimSpace(name); strings.Contains(name, "sallyport") && name != "namespace/"+own && !c.local.is(name) {
				t.Errorf("%s is left", name)
			}
		}
	}
	// They belong to the endpoints, and the garbage collector takes its time.
	for _, endpoint := range []string{"github", "stripe"} {
		c.kubectl(t, "-n", team, "wait", "--for=delete", fmt.Sprintf("service/%s-webhook", endpoint), "--timeout=60s")
	}
}

// cleanUp removes what the test has made, after a failure as well.
func (c *cluster) cleanUp(t *testing.T) {
	t.Helper()
	if t.Failed() && os.Getenv("SALLYPORT_E2E_KEEP") != "" {
		t.Logf("everything is kept; remove it with kubectl delete -k config/default, and kubectl delete namespace %s %s", team, own)
		return
	}
	c.ctx = context.WithoutCancel(c.ctx) // which ends before a test is cleaned up
	if !c.removed {
		c.tidy(t, "delete", "-k", c.installation(t), "--ignore-not-found", "--timeout="+rolloutTimeout)
	}
	c.tidy(t, "delete", "namespace", team, "--ignore-not-found", "--timeout="+rolloutTimeout)
	defer c.tidy(t, "delete", "namespace", own, "--ignore-not-found", "--timeout="+rolloutTimeout)
	c.removeVolume(t)
}

// tidy runs kubectl; a failure doesn't keep the rest from being tidied.
func (c *cluster) tidy(t *testing.T, args ...string) {
	t.Helper()
	if output, err := c.tryKubectl(args...); err != nil {
		t.Errorf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}
