package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/test/cluster"
)

const (
	// scaleTimeout bounds the whole run.
	scaleTimeout = 40 * time.Minute
	// scaleClients is how many objects are created at a time.
	scaleClients = 32
	// quietLeast is the shortest time without a write that says anything.
	quietLeast = 100 * time.Millisecond
)

// benchScale fills a control plane with endpoints, and says what that takes of the
// API server, the manager and the receivers.
func benchScale(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	s := &scale{}
	flags.IntVar(&s.endpoints, "endpoints", 10000, "how many endpoints to create")
	flags.IntVar(&s.namespaces, "namespaces", 500, "in how many namespaces")
	flags.IntVar(&s.edits, "edits", 200, "how many Secrets to edit then, one after the other")
	flags.DurationVar(&s.quiet, "quiet", 10*time.Second, "for how long the API server must see no write before what was going on counts as over")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.endpoints < 1 || s.namespaces < 1 || s.edits < 0 || s.quiet < quietLeast {
		return fmt.Errorf("endpoints and namespaces must be positive, edits not negative, quiet %s or more", quietLeast)
	}
	ctx, cancel := context.WithTimeout(ctx, scaleTimeout)
	defer cancel()
	var err error
	if s.world, err = newWorld(ctx, os.Stderr); err != nil {
		return err
	}
	defer s.world.stop(context.WithoutCancel(ctx))
	config := rest.CopyConfig(s.world.cluster.Config)
	config.QPS = -1
	if s.client, err = client.NewWithWatch(config, client.Options{Scheme: s.world.cluster.Client.Scheme()}); err != nil {
		return err
	}
	if s.metrics, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	return s.run(ctx, out)
}

// scale is one run.
type scale struct {
	endpoints, namespaces, edits int
	quiet                        time.Duration

	world   *world
	client  client.WithWatch
	metrics kubernetes.Interface
	results [][2]string
}

func (s *scale) run(ctx context.Context, out io.Writer) error {
	for _, step := range []func(context.Context) error{s.prepare, s.converge, s.edit, s.restartManager, s.restartReceiver} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d endpoints in %d namespaces; %s\n\n", s.endpoints, s.namespaces, machine())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range s.results {
		fmt.Fprintf(table, "%s\t%s\n", r[0], r[1])
	}
	return table.Flush()
}

func (s *scale) found(what, format string, values ...any) {
	s.results = append(s.results, [2]string{what, fmt.Sprintf(format, values...)})
	fmt.Fprintf(os.Stderr, "%s: %s\n", what, fmt.Sprintf(format, values...))
}

func (s *scale) namespace(i int) string { return fmt.Sprintf("team-%03d", i%s.namespaces) }

func (s *scale) name(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: s.namespace(i), Name: fmt.Sprintf("github-%d", i)}
}

// prepare makes what the endpoints refer to, and waits until the manager has settled.
func (s *scale) prepare(ctx context.Context) error {
	err := s.each(s.namespaces, func(i int) error {
		name := s.namespace(i)
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: worldService},
			Spec: corev1.ServiceSpec{
				ClusterIP: corev1.ClusterIPNone, // the API server of the tests has few addresses
				Ports:     []corev1.ServicePort{{Name: "http", Port: worldPort}},
			},
		}
		if err := s.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
		return s.client.Create(ctx, service)
	})
	if err != nil {
		return err
	}
	if err := s.each(s.endpoints, func(i int) error { return s.client.Create(ctx, s.secret(i, secretBefore)) }); err != nil {
		return err
	}
	if _, err := s.untilQuiet(ctx); err != nil {
		return err
	}
	s.found("memory before (RSS)", "manager %d MiB, receiver %d MiB", rss(s.world.manager.PID)>>20, rss(s.world.receiver.PID)>>20)
	return nil
}

func (s *scale) secret(i int, value string) *corev1.Secret {
	name := s.name(i)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}, StringData: map[string]string{"secret": value},
	}
}

func (s *scale) endpoint(i int) *v1alpha1.WebhookEndpoint {
	name := s.name(i)
	return &v1alpha1.WebhookEndpoint{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Spec: v1alpha1.WebhookEndpointSpec{
			Provider: "github", SecretRef: &v1alpha1.SecretKeyReference{Name: name.Name},
			Target: &v1alpha1.Target{Service: v1alpha1.ServiceTarget{Name: worldService, Port: intstr.FromInt32(worldPort)}},
		},
	}
}

// converge creates all endpoints at once and waits until all are Ready.
func (s *scale) converge(ctx context.Context) error {
	before, err := s.writes(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	ready := make(chan error, 1)
	go func() { ready <- s.awaitReady(ctx, s.endpoints) }()
	if err := s.each(s.endpoints, func(i int) error { return s.client.Create(ctx, s.endpoint(i)) }); err != nil {
		return err
	}
	created := time.Since(began)
	if err := <-ready; err != nil {
		return err
	}
	s.found("all endpoints created, by "+strconv.Itoa(scaleClients)+" clients", "%.1f s", created.Seconds())
	s.found("the last one is Ready after the first was created", "%.1f s", time.Since(began).Seconds())
	after, err := s.untilQuiet(ctx)
	if err != nil {
		return err
	}
	s.found("writes for each endpoint, the one that created it not counted", "%.2f: %s",
		float64(after.minus(before).total()-s.endpoints)/float64(s.endpoints), after.minus(before))
	s.found("memory with all endpoints (RSS)", "manager %d MiB, receiver %d MiB", rss(s.world.manager.PID)>>20, rss(s.world.receiver.PID)>>20)
	return nil
}

// awaitReady waits until so many endpoints are Ready in their latest generation.
func (s *scale) awaitReady(ctx context.Context, want int) error {
	var list v1alpha1.WebhookEndpointList
	if err := s.client.List(ctx, &list); err != nil {
		return err
	}
	watcher, err := s.client.Watch(ctx, &list, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	seen := map[types.NamespacedName]bool{}
	for i := range list.Items {
		if isReady(&list.Items[i]) {
			seen[client.ObjectKeyFromObject(&list.Items[i])] = true
		}
	}
	for len(seen) < want {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d endpoints are Ready: %w", len(seen), want, ctx.Err())
		case e, ok := <-watcher.ResultChan():
			if !ok {
				return s.awaitReady(ctx, want)
			}
			endpoint, is := e.Object.(*v1alpha1.WebhookEndpoint)
			if !is || e.Type == watch.Bookmark {
				continue
			}
			if isReady(endpoint) {
				seen[client.ObjectKeyFromObject(endpoint)] = true
			}
		}
	}
	return nil
}

func isReady(e *v1alpha1.WebhookEndpoint) bool {
	return meta.IsStatusConditionTrue(e.Status.Conditions, v1alpha1.ConditionReady)
}

// edit edits Secrets one after the other, each until the receiver takes what is
// signed with the new one.
func (s *scale) edit(ctx context.Context) error {
	if s.edits == 0 {
		return nil
	}
	before, err := s.writes(ctx)
	if err != nil {
		return err
	}
	var took []time.Duration
	for n := range s.edits {
		i := n * s.endpoints / s.edits
		began := time.Now()
		if err := s.client.Update(ctx, s.secret(i, secretAfter)); err != nil {
			return err
		}
		if err := s.world.probeAt(ctx, s.name(i), secretAfter); err != nil {
			return fmt.Errorf("edit the Secret of %s: %w", s.name(i), err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	s.found("Secret edited → webhook signed with the new one accepted", "p50 %s, p99 %s",
		milliseconds(quantile(took, 0.5)), milliseconds(quantile(took, 0.99)))
	after, err := s.untilQuiet(ctx)
	if err != nil {
		return err
	}
	s.found("writes for each edit, the edit and Events not counted", "%.2f: %s",
		float64(after.minus(before).total()-s.edits)/float64(s.edits), after.minus(before))
	return nil
}

// restartManager restarts the manager, which must write nothing.
func (s *scale) restartManager(ctx context.Context) error {
	if err := s.world.manager.Stop(ctx); err != nil {
		return err
	}
	before, err := s.untilQuiet(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.world.startManager(ctx); err != nil {
		return err
	}
	if err := s.world.awaitIdle(ctx); err != nil {
		return err
	}
	s.found("manager restarted → every endpoint looked at again", "%.1f s", time.Since(began).Seconds())
	after, err := s.untilQuiet(ctx)
	if err != nil {
		return err
	}
	s.found("writes of a restarted manager", "%s", after.minus(before))
	s.found("memory of the restarted manager (RSS)", "%d MiB", rss(s.world.manager.PID)>>20)
	return nil
}

// restartReceiver restarts the receiver, which writes its Lease and nothing else.
func (s *scale) restartReceiver(ctx context.Context) error {
	if err := s.world.receiver.Stop(ctx); err != nil {
		return err
	}
	before, err := s.untilQuiet(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.world.startReceiver(ctx); err != nil {
		return err
	}
	s.found("receiver restarted → ready with all routes", "%.1f s", time.Since(began).Seconds())
	after, err := s.untilQuiet(ctx)
	if err != nil {
		return err
	}
	s.found("writes after a restart of the only receiver, Leases not counted", "%s", after.minus(before))
	s.found("memory of the restarted receiver (RSS)", "%d MiB", rss(s.world.receiver.PID)>>20)
	return nil
}

// each does something n times, several at a time.
func (s *scale) each(n int, do func(i int) error) error {
	var workers sync.WaitGroup
	errs := make(chan error, scaleClients)
	for w := range scaleClients {
		workers.Go(func() {
			for i := w; i < n; i += scaleClients {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	workers.Wait()
	close(errs)
	return <-errs
}

// apiWrites counts the requests that changed something, by "verb resource".
type apiWrites map[string]int

func (a apiWrites) total() (sum int) {
	for _, n := range a {
		sum += n
	}
	return sum
}

func (a apiWrites) minus(before apiWrites) apiWrites {
	difference := apiWrites{}
	for key, n := range a {
		if n > before[key] {
			difference[key] = n - before[key]
		}
	}
	return difference
}

// String lists the writes, the most frequent first.
func (a apiWrites) String() string {
	if len(a) == 0 {
		return "none"
	}
	keys := make([]string, 0, len(a))
	for key := range a {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y string) int {
		if a[x] != a[y] {
			return a[y] - a[x]
		}
		return strings.Compare(x, y)
	})
	for i, key := range keys {
		keys[i] = fmt.Sprintf("%d %s", a[key], key)
	}
	return strings.Join(keys, ", ")
}

// writes asks the API server what was written so far. Leases, which are renewed all
// the time, and Events, which are bounded by themselves, are left out.
func (s *scale) writes(ctx context.Context) (apiWrites, error) {
	text, err := s.metrics.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	counts := apiWrites{}
	for line := range strings.Lines(string(text)) {
		sample, ok := strings.CutPrefix(line, "apiserver_request_total{")
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(sample, "} ")
		verb, resource, sub := label(labels, "verb"), label(labels, "resource"), label(labels, "subresource")
		if verb == "GET" || verb == "LIST" || verb == "WATCH" || resource == "leases" || resource == "events" || resource == "" {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil, fmt.Errorf("read the metrics of the API server: %w", err)
		}
		if sub != "" {
			resource += "/" + sub
		}
		counts[verb+" "+resource] += int(n)
	}
	return counts, nil
}

func label(labels, name string) string {
	_, rest, _ := strings.Cut(","+labels, ","+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// untilQuiet waits until nothing was written for a while, and returns what was until
// then.
func (s *scale) untilQuiet(ctx context.Context) (apiWrites, error) {
	last, err := s.writes(ctx)
	if err != nil {
		return nil, err
	}
	since := time.Now()
	ticker := time.NewTicker(s.quiet / 10)
	defer ticker.Stop()
	for time.Since(since) < s.quiet {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the API server is written to without end: %w", ctx.Err())
		case <-ticker.C:
		}
		next, err := s.writes(ctx)
		if err != nil {
			return nil, err
		}
		if next.total() != last.total() {
			last, since = next, time.Now()
		}
	}
	return last, nil
}

// rss is the memory that a process has now, in bytes; 0: it can't be known.
func rss(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// awaitIdle waits until the manager has nothing to do: its queues are empty and
// nothing is being worked on.
func (w *world) awaitIdle(ctx context.Context) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		answer, err := cluster.Get(ctx, w.manager.MetricsURL+"/metrics")
		if err != nil {
			return err
		}
		if idle(answer.Body) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the manager is still at work: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

func idle(metrics string) bool {
	done := 0
	for line := range strings.Lines(metrics) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		n, _ := strconv.ParseFloat(value, 64)
		switch {
		case strings.HasPrefix(name, "workqueue_depth{"), strings.HasPrefix(name, "controller_runtime_active_workers{"):
			if n > 0 {
				return false
			}
		case strings.HasPrefix(name, `controller_runtime_reconcile_total{controller="webhookendpoint"`):
			done += int(n)
		}
	}
	return done > 0
}
