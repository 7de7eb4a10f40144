package audit

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// environment is an API server, a real one: it alone knows what an
// Event may look like and what of it can be changed.
var environment envtest.Environment

// started starts it for the first test that needs it: fuzzing and benchmarks
// have no use for it.
var started = sync.OnceValues(func() (*rest.Config, error) {
	config, err := environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start an API server: %w (export KUBEBUILDER_ASSETS=$(hack/controlplane.sh) says where its programs are)", err)
	}
	config.QPS = -1
	return config, nil
})

func apiConfig(t *testing.T) *rest.Config {
	t.Helper()
	config, err := started()
	if err != nil {
		t.Fatal(err)
	}
	return rest.CopyConfig(config)
}

func api(t *testing.T) *kubernetes.Clientset {
	t.Helper()
	client, err := kubernetes.NewForConfig(apiConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := environment.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(errors.New("stop the API server"), err))
		code = max(code, 1)
	}
	os.Exit(code)
}
