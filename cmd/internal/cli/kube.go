package cli

import (
	"errors"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// namespaceFile is where a pod finds the namespace of its ServiceAccount.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Kubeconfig defines the flag --kubeconfig.
func (f *Flags) Kubeconfig(path *string) {
	f.StringVar(path, "kubeconfig", "", "`path` of a kubeconfig file; not needed in a pod")
}

// RestConfig says how to reach the API server: by the kubeconfig file at path,
// or, if path is empty, as the pod's ServiceAccount.
func RestConfig(path string) (*rest.Config, error) {
	if path == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, Usagef("--kubeconfig is not set and this is not a pod: there is no API server to talk to")
		}
		return config, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, Usagef("--kubeconfig=%s can't be used: %w", path, err)
	}
	return config, nil
}

// RouteNamespace defines the flag --route-namespace. It defaults to the namespace
// that the program runs in.
func (f *Flags) RouteNamespace(namespace *string) {
	f.StringVar(namespace, "route-namespace", f.env.ownNamespace(namespaceFile), "`namespace` of the Secrets that hold the routes; in a pod, its own by default")
}

// ownNamespace is empty outside of a pod.
func (e Env) ownNamespace(file string) string {
	if namespace, ok := e.Lookup("POD_NAMESPACE"); ok {
		return namespace
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "" // outside of a pod there is no such file, and the flag must be given
	}
	return strings.TrimSpace(string(content))
}
