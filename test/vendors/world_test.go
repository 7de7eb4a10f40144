//go:build vendors

package vendors

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

const (
	namespace = "vendors"
	publicURL = "https://hooks.example.test"
	service   = "handler"
	// patience bounds a trial, timeout all of them. On an idle machine they need a tenth of it.
	patience = 30 * time.Second
	timeout  = 5 * time.Minute
)

// world is everything that takes part but the libraries.
type world struct {
	t        *testing.T
	ctx      context.Context
	bin      string
	cluster  *cluster.Cluster
	target   *cluster.Target
	receiver *cluster.Receiver
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx}
	root, err := cluster.Root()
	w.must(err)
	assets, err := cluster.Assets(w.ctx, root, os.Stderr)
	w.must(err)
	redis, err := cluster.RedisServer(w.ctx, root, os.Stderr)
	w.must(err)
	w.bin, err = cluster.Build(w.ctx, root)
	w.must(err)
	w.cluster, err = cluster.Start(w.ctx, cluster.Options{Root: root, Assets: assets, Bin: w.bin})
	w.must(err)
	t.Cleanup(func() { w.check(w.cluster.Stop()) })
	w.start(redis)
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	w.create(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: service},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 8080}}},
	})
	return w
}

// in is the world as a test of its own sees it.
func (w world) in(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	t.Cleanup(cancel)
	w.t, w.ctx = t, ctx
	return &w
}

// start starts the programs and the target.
func (w *world) start(redis string) {
	w.t.Helper()
	process, redisURL, err := w.cluster.StartRedis(w.ctx, redis)
	w.must(err)
	w.endWithTest(process)
	w.target, err = cluster.StartTarget(w.ctx)
	w.must(err)
	w.t.Cleanup(w.target.Close)
	manager, err := w.cluster.StartManager(w.ctx, cluster.ManagerOptions{PublicURL: publicURL})
	w.must(err)
	w.endWithTest(manager.Process)
	w.receiver, err = w.cluster.StartReceiver(w.ctx, cluster.ReceiverOptions{
		Name: "receiver", RedisURL: redisURL, ConnectTo: map[string]string{namespace + "/" + service + ":8080": w.target.Address},
	})
	w.must(err)
	w.endWithTest(w.receiver.Process)
}

// endWithTest ends a process with the test, and shows its log if that failed.
func (w *world) endWithTest(p *cluster.Process) {
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the last lines of %s:\n%s", p.Name, p.Tail(20))
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w.check(p.Stop(ctx))
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.must(w.cluster.Client.Create(w.ctx, object))
}

// endpoint makes an endpoint of a vendor, whose handler is at the path that the sender
// knows, as that of a handler is which had no gate before it.
func (w *world) endpoint(v vendor, name string, signature v1alpha1.TargetSignature) {
	w.t.Helper()
	w.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Data:       map[string][]byte{"secret": []byte(v.Secret)},
	})
	object := &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  v.Preset,
			SecretRef: &v1alpha1.SecretKeyReference{Name: name},
			Target: &v1alpha1.Target{
				Service:   v1alpha1.ServiceTarget{Name: service, Port: intstr.FromInt32(8080), Path: pathOf(name)},
				Signature: signature,
			},
		},
	}
	if v.Credential {
		object.Spec.Target.Credentials = v1alpha1.TargetCredentialsForward
	}
	for parameter, value := range v.Parameters {
		object.Spec.Parameters = append(object.Spec.Parameters, v1alpha1.ParameterValues{Name: parameter, Values: []string{value}})
	}
	w.create(object)
}

func pathOf(endpoint string) string { return "/" + namespace + "/" + endpoint }

// awaitReady waits until an endpoint is Ready, or will not be.
func (w *world) awaitReady(endpoint string) {
	w.t.Helper()
	name := types.NamespacedName{Namespace: namespace, Name: endpoint}
	is := func(e *v1alpha1.WebhookEndpoint, condition string) bool {
		return meta.IsStatusConditionTrue(e.Status.Conditions, condition)
	}
	got, err := w.cluster.AwaitEndpoint(w.ctx, name, func(e *v1alpha1.WebhookEndpoint) bool {
		return is(e, v1alpha1.ConditionReady) || is(e, v1alpha1.ConditionStalled)
	})
	w.must(err)
	if is(got, v1alpha1.ConditionStalled) {
		w.t.Fatalf("the endpoint %s is not Ready: %+v", endpoint, got.Status.Conditions)
	}
}

// post sends a request to an endpoint.
func (w *world) post(endpoint string, s sent) cluster.Answer {
	w.t.Helper()
	header := http.Header{}
	for name, value := range s.Headers {
		header[name] = []string{value} // as the vendor spells it
	}
	target := url.URL{Path: pathOf(endpoint), RawQuery: s.Query}
	answer, err := cluster.Post(w.ctx, w.receiver.URL+target.String(), header, s.Body)
	w.must(err)
	return answer
}

// outcome waits for what the receiver says became of a request.
func (w *world) outcome(requestID string) audit.Record {
	w.t.Helper()
	got, err := w.receiver.Audit.Await(w.ctx, func(r audit.Record) bool { return r.RequestID == requestID && r.Attempt == 0 })
	w.must(err)
	return got
}

// arrival waits for an event to arrive at the handler of an endpoint.
func (w *world) arrival(endpoint, eventID string) cluster.Received {
	w.t.Helper()
	got, err := w.target.Requests.Await(w.ctx, func(r cluster.Received) bool {
		return r.EventID() == eventID && r.Path == pathOf(endpoint)
	})
	w.must(err)
	return got
}

// arrivals counts what has arrived at the handler of an endpoint.
func (w *world) arrivals(endpoint string) int {
	return len(w.target.Requests.Matching(func(r cluster.Received) bool { return r.Path == pathOf(endpoint) }))
}

// kubectlHooksSend runs that command, and returns what the receiver says became of the
// request; ok is false if the command failed.
func (w *world) kubectlHooksSend(v vendor) (outcome audit.Record, ok bool) {
	w.t.Helper()
	args := []string{"-n", namespace, "send", v.Slug, "--url", w.receiver.URL}
	if v.Scheme != "" {
		args = append(args, "--scheme", v.Scheme)
	}
	if v.PrivateKey != "" {
		file := filepath.Join(w.t.TempDir(), "private.pem")
		w.must(os.WriteFile(file, []byte(v.PrivateKey), 0o600))
		args = append(args, "--private-key", file)
	}
	command := exec.CommandContext(w.ctx, filepath.Join(w.bin, "kubectl-hooks"), args...)
	command.Env = []string{"KUBECONFIG=" + w.cluster.Kubeconfig, "HOME=" + w.t.TempDir()}
	ofEndpoint := func(r audit.Record) bool { return r.Endpoint == namespace+"/"+v.Slug && r.Attempt == 0 }
	before := len(w.receiver.Audit.Matching(ofEndpoint))
	if output, err := command.CombinedOutput(); err != nil {
		w.t.Errorf("kubectl hooks send: %v\n%s", err, output)
		return outcome, false
	}
	outcomes, err := w.receiver.Audit.AwaitN(w.ctx, before+1, ofEndpoint)
	w.must(err)
	return outcomes[before], true
}
