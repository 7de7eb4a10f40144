// Package apiserver starts a real API server for the tests of a package. What they test
// relies on its behaviour: which objects it takes, how it applies them, and how watches end.
package apiserver

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

// shared is the API server of Main, without custom resources.
var shared envtest.Environment

// started starts it for the first test that asks for it: fuzzing and benchmarks don't.
var started = sync.OnceValues(func() (*rest.Config, error) { return start(&shared) })

// Main runs the tests of a package, and stops the API server if one of them has started it.
// It is the whole TestMain of a package that needs no custom resources.
func Main(m *testing.M) {
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(errors.New("stop the API server"), err))
		code = max(code, 1)
	}
	os.Exit(code)
}

// Config says how to reach the API server of Main.
func Config(tb testing.TB) *rest.Config {
	tb.Helper()
	config, err := started()
	if err != nil {
		tb.Fatal(err)
	}
	return rest.CopyConfig(config)
}

// Client is an administrator's client of the API server of Main.
func Client(tb testing.TB) *kubernetes.Clientset {
	tb.Helper()
	client, err := kubernetes.NewForConfig(Config(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// StartWithCRDs starts an API server with the custom resources of a directory. The caller
// stops it, also after an error.
func StartWithCRDs(dir string) (*envtest.Environment, *rest.Config, error) {
	environment := &envtest.Environment{CRDDirectoryPaths: []string{dir}, ErrorIfCRDPathMissing: true}
	config, err := start(environment)
	return environment, config, err
}

func start(environment *envtest.Environment) (*rest.Config, error) {
	config, err := environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start an API server: %w (export KUBEBUILDER_ASSETS=$(hack/controlplane.sh) says where its programs are)", err)
	}
	config.QPS = -1
	return config, nil
}
