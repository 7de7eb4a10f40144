package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	ctrl "sigs.k8s.io/controller-runtime"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/cluster"
)

const (
	worldNamespace = "bench"
	worldService   = "orders"
	worldPort      = 8080

	secretBefore = "the secret of before"
	secretAfter  = "the secret of after"

	// probeInterval is the time between two webhooks that ask whether the
	// endpoint is there. It bounds the error of what is measured.
	probeInterval = time.Millisecond
	// stopTimeout bounds the end of each process.
	stopTimeout = time.Minute
)

// world is a control plane, Redis, a manager, a receiver and a target.
type world struct {
	cluster  *cluster.Cluster
	manager  *cluster.Manager
	receiver *cluster.Receiver
	redisURL string
	target   *cluster.Target
	sender   *http.Client
	cleanups []func(context.Context) error
}

// newWorld starts everything; progress goes to w.
func newWorld(ctx context.Context, progress io.Writer) (*world, error) {
	ctrl.SetLogger(logr.Discard()) // the API server's start tells nothing that we want to know
	w := &world{sender: &http.Client{Timeout: stepTimeout}}
	if err := w.start(ctx, progress); err != nil {
		w.stop(context.WithoutCancel(ctx))
		return nil, err
	}
	return w, nil
}

func (w *world) start(ctx context.Context, progress io.Writer) error {
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	options := cluster.Options{Root: root}
	if options.Assets, err = cluster.Assets(ctx, root, progress); err != nil {
		return err
	}
	if options.Bin, err = cluster.Build(ctx, root); err != nil {
		return err
	}
	if w.cluster, err = cluster.Start(ctx, options); err != nil {
		return err
	}
	w.onStop(func(context.Context) error { return w.cluster.Stop() })
	if err := w.startPrograms(ctx, root, progress); err != nil {
		return err
	}
	return w.createShared(ctx)
}

func (w *world) startPrograms(ctx context.Context, root string, progress io.Writer) error {
	path, err := cluster.RedisServer(ctx, root, progress)
	if err != nil {
		return err
	}
	var redis *cluster.Process
	if redis, w.redisURL, err = w.cluster.StartRedis(ctx, path); err != nil {
		return err
	}
	w.onStop(redis.Stop)
	if w.target, err = cluster.StartTarget(ctx); err != nil {
		return err
	}
	w.onStop(func(context.Context) error { w.target.Close(); return nil })
	if err := w.startManager(ctx); err != nil {
		return err
	}
	return w.startReceiver(ctx)
}

func (w *world) startManager(ctx context.Context) (err error) {
	w.manager, err = w.cluster.StartManager(ctx, cluster.ManagerOptions{PublicURL: "https://hooks.example.test", RedisURL: w.redisURL})
	if err == nil {
		w.onStop(w.manager.Stop)
	}
	return err
}

func (w *world) startReceiver(ctx context.Context) (err error) {
	w.receiver, err = w.cluster.StartReceiver(ctx, cluster.ReceiverOptions{
		Name: "bench", RedisURL: w.redisURL, NoAuditJournal: true,
		ConnectTo: map[string]string{fmt.Sprintf("%s/%s:%d", worldNamespace, worldService, worldPort): w.target.Address},
	})
	if err == nil {
		w.onStop(w.receiver.Stop)
	}
	return err
}

func (w *world) onStop(cleanup func(context.Context) error) { w.cleanups = append(w.cleanups, cleanup) }

// stop ends everything in the reverse order of starting.
func (w *world) stop(ctx context.Context) {
	for _, cleanup := range slices.Backward(w.cleanups) {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		if err := cleanup(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		cancel()
	}
}

// createShared creates what all endpoints use.
func (w *world) createShared(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: worldNamespace}}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: worldNamespace, Name: worldService},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: worldPort}}},
	}
	return errors.Join(w.cluster.Client.Create(ctx, namespace), w.cluster.Client.Create(ctx, service))
}

func endpointName(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: worldNamespace, Name: fmt.Sprintf("github-%d", i)}
}

// secretOf is the Secret of the i-th endpoint; it has the endpoint's name.
func secretOf(i int, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: worldNamespace, Name: endpointName(i).Name},
		StringData: map[string]string{"secret": value},
	}
}

func (w *world) createSecret(ctx context.Context, i int) error {
	return w.cluster.Client.Create(ctx, secretOf(i, secretBefore))
}

func (w *world) editSecret(ctx context.Context, i int) error {
	return w.cluster.Client.Update(ctx, secretOf(i, secretAfter))
}

func (w *world) createEndpoint(ctx context.Context, i int) error {
	name := endpointName(i)
	return w.cluster.Client.Create(ctx, &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider:  "github",
			SecretRef: &v1alpha1.SecretKeyReference{Name: name.Name},
			Target:    &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: worldService, Port: intstr.FromInt32(worldPort)}},
		},
	})
}

// probe sends a webhook to the i-th endpoint, again and again until it is
// answered 200. Until then the answer may be that there is no such endpoint
// (404), that it can't serve yet (503), or that the signature is wrong (401).
func (w *world) probe(ctx context.Context, i int, secret string) error {
	return w.probeAt(ctx, endpointName(i), secret)
}

// probeAt is probe for an endpoint of any name.
func (w *world) probeAt(ctx context.Context, name types.NamespacedName, secret string) error {
	body := []byte(`{"zen":"Design for failure."}`)
	header := cluster.GitHub(secret, "ping", name.Name+" "+secret, body)
	pause := time.NewTicker(probeInterval)
	defer pause.Stop()
	for {
		status, err := w.send(ctx, w.receiver.URL+"/"+name.Namespace+"/"+name.Name, header, body)
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			return nil
		case status != http.StatusNotFound && status != http.StatusServiceUnavailable && status != http.StatusUnauthorized:
			return fmt.Errorf("the receiver answered %d", status)
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return fmt.Errorf("the receiver still answers %d: %w", status, ctx.Err())
		}
	}
}

// send posts a webhook, on a connection that is kept.
func (w *world) send(ctx context.Context, url string, header http.Header, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = header.Clone()
	response, err := w.sender.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, err
}
