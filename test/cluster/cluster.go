package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// Namespace is where the manager and the receivers live and routes are kept.
const Namespace = "sallyport-system"

// The names under which the janitor knows what envtest starts: those of the programs.
const (
	apiServerNote = "kube-apiserver"
	etcdNote      = "etcd"
)

// Options say what a Cluster is made of.
type Options struct {
	// Root is the folder of the source, see the function Root.
	Root string
	// Assets is the folder with kube-apiserver, etcd and kubectl, see Assets.
	Assets string
	// Bin is the folder with the programs, see Build.
	Bin string
}

// Cluster is an API server with everything of config/crd and config/rbac, and
// no programs yet. It is safe for concurrent use, but for Stop and the methods
// that stop and start the API server.
type Cluster struct {
	// Dir holds the logs of all processes and the kubeconfig files; Stop removes it.
	Dir string
	// Kubeconfig is the path of a kubeconfig file of an administrator.
	Kubeconfig string
	// Kubectl is the path of kubectl; it is short, for people to copy.
	Kubectl string
	// Client acts as an administrator.
	Client client.WithWatch
	// Config is what Client was made of.
	Config *rest.Config

	options     Options
	janitor     *janitor
	env         *envtest.Environment
	identifying sync.Mutex

	frontProxy *frontProxy
}

// Start starts the API server, which takes some three seconds, and installs
// what Sallyport needs. The caller calls Stop, also after an error of its own.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	janitor, err := hireJanitor()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: janitor.dir, Kubectl: filepath.Join(janitor.dir, "kubectl"), options: o, janitor: janitor}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// Stop ends the API server and removes Dir. Stop processes before.
func (c *Cluster) Stop() error {
	var err error
	if c.env != nil {
		err = c.env.Stop()
		c.janitor.forget(apiServerNote)
		c.janitor.forget(etcdNote)
	}
	return errors.Join(err, c.janitor.dismiss())
}

func (c *Cluster) start(ctx context.Context) error {
	if err := os.Symlink(filepath.Join(c.options.Assets, "kubectl"), c.Kubectl); err != nil {
		return err
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var err error
	if c.Client, err = client.NewWithWatch(c.Config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if c.Kubeconfig, err = c.writeKubeconfig("kubeconfig", c.env.KubeConfig); err != nil {
		return err
	}
	if err := c.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}}); err != nil {
		return fmt.Errorf("create the namespace %s: %w", Namespace, err)
	}
	return c.Apply(ctx, "config/rbac")
}

// startControlPlane has the API server and etcd keep all of their files in Dir,
// and under their usual names, so that the janitor finds what they leave.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	log.SetLogger(logr.Discard()) // or envtest's client complains that there is none
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(c.options.Root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	apiServer, etcd := env.ControlPlane.GetAPIServer(), &envtest.Etcd{}
	env.ControlPlane.Etcd = etcd
	env.ControlPlane.KubectlPath = c.Kubectl
	apiServer.CertDir, etcd.DataDir = filepath.Join(c.Dir, "certificates"), filepath.Join(c.Dir, "etcd-data")
	for _, dir := range []string{apiServer.CertDir, etcd.DataDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	for name, path := range map[string]*string{apiServerNote: &apiServer.Path, etcdNote: &etcd.Path} {
		wrapper, err := c.janitor.wrapper(name, filepath.Join(c.options.Assets, name))
		if err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
		*path = wrapper
	}
	if err := place(ctx, apiServer, etcd); err != nil {
		return err
	}
	var err error
	if c.frontProxy, err = newFrontProxy(filepath.Join(c.Dir, "front-proxy"), apiServer); err != nil {
		return fmt.Errorf("make the certificates of the front proxy: %w", err)
	}
	c.env = env
	config, err := env.Start()
	if err != nil {
		return fmt.Errorf("start the API server of %s: %w", c.options.Assets, err)
	}
	c.Config = config
	return nil
}

// KillAPIServer ends the API server with SIGKILL; etcd and with it all objects
// stay. On SIGTERM it would first wait for its watches to end.
func (c *Cluster) KillAPIServer() error {
	defer c.janitor.forget(apiServerNote)
	if err := c.janitor.kill(apiServerNote); err != nil {
		return fmt.Errorf("kill the API server: %w", err)
	}
	if err := c.env.ControlPlane.APIServer.Stop(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// StartAPIServer starts the API server again, at the same address and with the
// same certificates, and waits until it is healthy.
func (c *Cluster) StartAPIServer() error { return c.env.ControlPlane.APIServer.Start() }

// Adopt has a process that somebody else started ended at the latest with this
// one. A name that was adopted before stands for the new process from now on.
func (c *Cluster) Adopt(name string, pid int) error { return c.janitor.note(name, pid) }

// Disown takes back Adopt, once the process has ended.
func (c *Cluster) Disown(name string) { c.janitor.forget(name) }

// Apply applies a kustomization of the source, such as config/samples, the way
// a user does.
func (c *Cluster) Apply(ctx context.Context, kustomization string) error {
	cmd := exec.CommandContext(ctx, c.Kubectl, "--kubeconfig", c.Kubeconfig,
		"apply", "--server-side", "-k", filepath.Join(c.options.Root, kustomization))
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply -k %s: %w\n%s", kustomization, err, output)
	}
	return nil
}
