package route

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// +kubebuilder:rbac:groups=core,resources=secrets,verbs=list;watch,namespace=sallyport-system

// The waits between attempts to reach an API server that is away. The cap is
// lower than client-go's 30 s because a receiver serves old routes meanwhile.
const (
	reconnectFirst = 200 * time.Millisecond
	reconnectCap   = 5 * time.Second
)

// Watcher keeps a Live equal to the route Secrets of one namespace.
//
// It is the store of a client-go Reflector (the machinery below an informer). So the
// secrets are in memory once, in the table, and each change comes with its
// resourceVersion. Changes that arrive while others are being applied are applied
// together afterwards: a single change waits for nothing, and a burst costs a few swaps.
type Watcher struct {
	live   *Live
	client kubernetes.Interface
	// namespace that holds the route Secrets.
	namespace string
	logger    *slog.Logger

	synced  chan struct{} // closed when the first list is in the table
	changed chan struct{} // holds one token while a change is to be announced
	wake    chan struct{} // holds one token while something is pending

	mu      sync.Mutex
	pending batch
	served  string
}

// batch is what came from the API server and is not in the table yet.
type batch struct {
	listed   []Object           // the whole content, if isList
	isList   bool               // a list came; changes are relative to it
	changes  map[string]*Object // by name; nil: removed
	version  string             // the resourceVersion that the batch leads to
	isChange bool               // more than a bookmark
}

// NewWatcher returns a Watcher that fills live from the Secrets of namespace.
func NewWatcher(live *Live, client kubernetes.Interface, namespace string, logger *slog.Logger) *Watcher {
	return &Watcher{
		live: live, client: client, namespace: namespace, logger: logger,
		synced:  make(chan struct{}),
		changed: make(chan struct{}, 1),
		wake:    make(chan struct{}, 1),
	}
}

// Run watches until ctx ends. No error ends it: while the API server is away the last
// table stays, and Run tries to reconnect every few seconds.
func (w *Watcher) Run(ctx context.Context) {
	reflector := cache.NewReflectorWithOptions(w.secrets(), &corev1.Secret{}, (*sink)(w), cache.ReflectorOptions{
		Name: "routes",
		Backoff: &wait.Backoff{
			Duration: reconnectFirst, Cap: reconnectCap, Factor: 2, Jitter: 0.5, Steps: 10,
		},
	})
	var reflecting sync.WaitGroup
	reflecting.Go(func() { reflector.RunWithContext(ctx) })
	defer reflecting.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			w.apply()
		}
	}
}

// Synced is closed once the table holds every route that there was at start.
func (w *Watcher) Synced() <-chan struct{} { return w.synced }

// Changed receives a value when Served has moved because of a change of a route Secret.
// Values that nobody receives are folded into one.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Served returns the resourceVersion of the route Secrets up to which every
// change is in the table; empty before the first list is.
func (w *Watcher) Served() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.served
}

func (w *Watcher) secrets() cache.ListerWatcher {
	api := w.client.CoreV1().Secrets(w.namespace)
	narrow := func(options *metav1.ListOptions) {
		options.LabelSelector = Selector
		options.FieldSelector = fields.OneTermEqualSelector("type", SecretType).String()
	}
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			narrow(&options)
			return api.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			narrow(&options)
			return api.Watch(ctx, options)
		},
	}, w.client)
}

// apply applies the pending changes to the table, and moves Served afterwards.
func (w *Watcher) apply() {
	w.mu.Lock()
	todo := w.pending
	w.pending = batch{}
	w.mu.Unlock()

	differs := false
	if todo.isList {
		differs = w.live.Replace(todo.listed)
	}
	if len(todo.changes) > 0 {
		differs = w.live.Apply(todo.changes) || differs
	}
	if differs {
		table := w.live.Table()
		w.logger.Info("routes changed", "routes", table.Len(), "invalid", table.Invalid())
	}
	w.publish(todo)
}

// publish moves Served. A list sets it whatever it was before: after a restore of etcd
// the versions start lower, and the old, higher one would claim that routes are served
// that this receiver has never seen.
func (w *Watcher) publish(done batch) {
	w.mu.Lock()
	if done.isList || later(done.version, w.served) {
		w.served = done.version
	}
	w.mu.Unlock()
	if done.isList {
		w.markSynced()
	}
	if done.isChange {
		signal(w.changed)
	}
}

func (w *Watcher) markSynced() {
	select {
	case <-w.synced:
	default:
		close(w.synced)
	}
}

// later reports whether a is a later resourceVersion than b. An ill-formed one
// is later than nothing.
func later(a, b string) bool {
	if b == "" {
		_, err := resourceversion.CompareResourceVersion(a, a)
		return err == nil
	}
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}

func signal(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

// sink is the part of a Watcher that the Reflector writes to.
type sink Watcher

var (
	_ cache.ReflectorStore         = (*sink)(nil)
	_ cache.ReflectorBookmarkStore = (*sink)(nil)
)

// Replace takes a whole list.
func (s *sink) Replace(list []any, version string) error {
	listed := make([]Object, 0, len(list))
	for _, item := range list {
		found, ok := item.(*corev1.Secret)
		if !ok {
			return fmt.Errorf("the API server listed a %T where a Secret was expected", item)
		}
		listed = append(listed, objectOf(found))
	}
	s.mu.Lock()
	s.pending = batch{listed: listed, isList: true, version: version, isChange: true}
	s.mu.Unlock()
	signal(s.wake)
	return nil
}

// Add takes a new Secret.
func (s *sink) Add(item any) error { return s.Update(item) }

// Update takes a changed Secret.
func (s *sink) Update(item any) error {
	return s.change(item, func(o Object) *Object { return &o })
}

// Delete takes a Secret that is gone, or that the selector selects no more.
func (s *sink) Delete(item any) error {
	return s.change(item, func(Object) *Object { return nil })
}

// Bookmark takes a resourceVersion up to which nothing else has changed.
func (s *sink) Bookmark(version string) error {
	s.mu.Lock()
	s.pending.version = version
	s.mu.Unlock()
	signal(s.wake)
	return nil
}

// Resync has nothing to do: the table has all changes.
func (s *sink) Resync() error { return nil }

func (s *sink) change(item any, to func(Object) *Object) error {
	changed, ok := item.(*corev1.Secret)
	if !ok {
		return fmt.Errorf("the API server sent a %T where a Secret was expected", item)
	}
	s.mu.Lock()
	if s.pending.changes == nil {
		s.pending.changes = make(map[string]*Object)
	}
	s.pending.changes[changed.Name] = to(objectOf(changed))
	s.pending.version = changed.ResourceVersion
	s.pending.isChange = true
	s.mu.Unlock()
	signal(s.wake)
	return nil
}

func objectOf(s *corev1.Secret) Object {
	return Object{Name: s.Name, Path: s.Annotations[AnnotationPath], Data: s.Data}
}
