package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sallyport.dev/sallyport/test/apiserver"
)

// What the tests share: an API server with the CRDs, and without the events API.
var (
	api        client.WithWatch
	kubeconfig string
)

// testTimeout bounds one test. None needs a tenth of it on an idle machine.
const testTimeout = 60 * time.Second

func TestMain(m *testing.M) {
	code, err := startAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startAndRun(m *testing.M) (code int, err error) {
	log.SetLogger(logr.Discard())
	environment, config, err := apiserver.StartWithCRDs("../../config/crd/bases")
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if err != nil {
		return 0, err
	}
	if err := errors.Join(rbacv1.AddToScheme(scheme), authorizationv1.AddToScheme(scheme)); err != nil { // to give rights to others
		return 0, err
	}
	if api, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "kubectl-hooks")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	kubeconfig = filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// call is one call of the program in this process.
type call struct {
	stdin  string
	now    func() time.Time
	out    *buffer
	errOut *buffer
}

// hooks calls the program with the arguments, and returns what it wrote.
func hooks(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return call{}.run(t, args...)
}

func (c call) run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), testTimeout)
	defer stop()
	return c.runWith(ctx, args...)
}

func (c call) runWith(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	if c.out == nil {
		c.out, c.errOut = new(buffer), new(buffer)
	}
	a := newApp(genericiooptions.IOStreams{In: strings.NewReader(c.stdin), Out: c.out, ErrOut: c.errOut}, pluginName)
	if c.now != nil {
		a.now = c.now
	}
	root := a.rootCommand()
	root.SetArgs(append([]string{"--kubeconfig", kubeconfig}, args...))
	err = explain(root.ExecuteContext(ctx))
	return c.out.String(), c.errOut.String(), err
}

// buffer is a bytes.Buffer that is safe for concurrent use, and can be waited for.
type buffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

var _ io.Writer = (*buffer)(nil)

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.grown != nil {
		close(b.grown)
		b.grown = nil
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// await waits until something was written.
func (b *buffer) await(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	for {
		b.mu.Lock()
		if strings.Contains(b.text.String(), text) {
			b.mu.Unlock()
			return
		}
		if b.grown == nil {
			b.grown = make(chan struct{})
		}
		grown := b.grown
		b.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			t.Fatalf("%q was not written: %v; what was: %q", text, ctx.Err(), b.String())
		}
	}
}

// newNamespace makes a namespace with a name of its own.
func newNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "team-"}}
	create(t, namespace)
	return namespace.Name
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := api.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// wantContains checks that a text has all of these parts.
func wantContains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in:\n%s", part, text)
		}
	}
}

// wantError checks that an error says all of these.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there was no error, want one that says %q", parts)
	}
	wantContains(t, err.Error(), parts...)
}
