//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"sallyport.dev/sallyport/test/e2e/agent/protocol"
)

// What config/default and config/samples call their parts.
const (
	system = "sallyport-system"
	team   = "shop"
	// own is the namespace of what only the test needs.
	own = "sallyport-e2e"

	githubSecret = "an-example-secret-for-github"
)

// rolloutTimeout is for pods to start, images to be pulled and volumes to be made.
const rolloutTimeout = "180s"

// The pods of test/e2e/manifests.
var (
	sender = types.NamespacedName{Namespace: own, Name: "sender"}
	target = types.NamespacedName{Namespace: team, Name: "orders"}
)

// cluster is the cluster under test.
type cluster struct {
	ctx  context.Context
	kube *kubernetes.Clientset
	root string // of this repository
	dir  string // for kustomizations
	// local is the volume that the test makes, where nobody else does.
	local *localVolume
	// once are events that must be delivered exactly once.
	once    []string
	removed bool
}

func newCluster(ctx context.Context, t *testing.T) *cluster {
	t.Helper()
	root, err := filepath.Abs("../..")
	must(t, err)
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	must(t, err)
	kube, err := kubernetes.NewForConfig(config)
	must(t, err)
	// kustomize follows no symbolic links, and macOS has its folder behind one.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return &cluster{ctx: ctx, kube: kube, root: root, dir: dir}
}

// refuseForeign keeps the test from an installation that somebody uses.
func (c *cluster) refuseForeign(t *testing.T) {
	t.Helper()
	for _, name := range []string{system, team, own} {
		if _, err := c.kube.CoreV1().Namespaces().Get(c.ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Fatalf("the cluster must not have a namespace %s (%v): this test would remove it", name, err)
		}
	}
}

// image returns the image of a part: what the environment says, or name.
func image(part, name string) string {
	return cmp.Or(os.Getenv("SALLYPORT_E2E_"+strings.ToUpper(part)+"_IMAGE"), name)
}

// kubectl runs kubectl with the same cluster and returns what it prints.
func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	output, err := c.tryKubectl(args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

func (c *cluster) tryKubectl(args ...string) (string, error) {
	output, err := exec.CommandContext(c.ctx, "kubectl", args...).CombinedOutput()
	return string(output), err
}

// rollout waits until workloads of Sallyport have the pods that they want.
func (c *cluster) rollout(t *testing.T, workloads ...string) {
	t.Helper()
	for _, workload := range workloads {
		c.kubectl(t, "-n", system, "rollout", "status", workload, "--timeout="+rolloutTimeout)
	}
}

// pods returns the pods of a part of Sallyport.
func (c *cluster) pods(t *testing.T, part string) []corev1.Pod {
	t.Helper()
	list, err := c.kube.CoreV1().Pods(system).List(c.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + part})
	must(t, err)
	return list.Items
}

// ask posts a question to an agent, through the API server.
func (c *cluster) ask(t *testing.T, agent types.NamespacedName, path string, question, answer any) {
	t.Helper()
	body, err := json.Marshal(question)
	must(t, err)
	content, err := c.kube.CoreV1().RESTClient().Post().
		Namespace(agent.Namespace).Resource("pods").Name(agent.Name + ":8080").SubResource("proxy").Suffix(path).
		Body(body).Do(c.ctx).Raw()
	if err != nil {
		t.Fatalf("ask %s for %s: %v: %s", agent, path, err, content)
	}
	if answer != nil {
		must(t, json.Unmarshal(content, answer))
	}
}

// start begins a load of webhooks for shop/github, called by its prefix.
func (c *cluster) start(t *testing.T, load protocol.Load) {
	t.Helper()
	load.Secret = cmp.Or(load.Secret, githubSecret)
	load.URL = cmp.Or(load.URL, "http://sallyport-receiver."+system+"/shop/github")
	c.ask(t, sender, "sender/"+load.Prefix+"/start", load, nil)
}

// stop ends a load.
func (c *cluster) stop(t *testing.T, prefix string) (report protocol.Report) {
	t.Helper()
	c.ask(t, sender, "sender/"+prefix+"/stop", nil, &report)
	return report
}

// send sends a load of a certain size, and returns when all is answered.
func (c *cluster) send(t *testing.T, load protocol.Load) (report protocol.Report) {
	t.Helper()
	c.start(t, load)
	c.ask(t, sender, "sender/"+load.Prefix+"/wait", nil, &report)
	return report
}

// awaitDelivery waits until the target has taken events.
func (c *cluster) awaitDelivery(t *testing.T, ids []string, patience time.Duration) (delivered protocol.Delivered) {
	t.Helper()
	c.ask(t, target, "target/await", protocol.Awaited{IDs: ids, Seconds: int(patience.Seconds())}, &delivered)
	if missing := delivered.Missing; len(missing) > 0 {
		t.Fatalf("%d of %d events were not delivered after %v, for example %s", len(missing), len(ids), patience, missing[0])
	}
	return delivered
}

// diagnose shows what a person would look at first.
func (c *cluster) diagnose(t *testing.T) {
	t.Helper()
	for _, command := range []string{
		"get pods,pvc,webhookendpoints -A -o wide",
		"-n " + system + " get events --sort-by=.lastTimestamp",
		"-n " + system + " logs --prefix --tail=20 -l app.kubernetes.io/name=sallyport-manager",
		"-n " + system + " logs --prefix --tail=20 -l app.kubernetes.io/name=sallyport-receiver",
		"-n " + system + " logs --prefix --tail=20 -l app.kubernetes.io/name=sallyport-redis",
	} {
		output, _ := c.tryKubectl(strings.Fields(command)...)
		t.Logf("kubectl %s\n%s", command, output)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
