package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"sallyport.dev/sallyport/test/cluster"
)

// bare is the least that a handler with the same promise can do: read the body,
// check its HMAC, store it by the same script through a client with the same
// options, answer 200. It knows one secret and one path, looks at no limit,
// timestamp or type, stores the body alone, and tells nobody what it did.
type bare struct {
	redis  *redis.AutoPipeliner
	script string
	sha    string // the name by which Redis knows the script
	n      atomic.Uint64
}

// The bounds of bare, as those of the receiver.
const (
	bareMaxBody = 25 << 20
	bareTimeout = 2 * time.Second
	bareLease   = 30 * time.Second
	// barePartitions are as many as the receiver spreads its keys over.
	barePartitions = 64
)

// newBare needs the URL of Redis.
func newBare(_ context.Context, args []string) (http.Handler, error) {
	if len(args) != 1 {
		return nil, errors.New("bare needs the URL of Redis")
	}
	options, err := redis.ParseURL(args[0])
	if err != nil {
		return nil, err
	}
	// The options of receiver/store, here and below.
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = bareTimeout/2, bareTimeout, bareTimeout, bareTimeout
	options.DialerRetries, options.MaxRetries = 1, 1
	options.MinRetryBackoff, options.MaxRetryBackoff = 10*time.Millisecond, 50*time.Millisecond
	options.ContextTimeoutEnabled, options.DisableIdentity = true, true
	root, err := cluster.Root()
	if err != nil {
		return nil, err
	}
	var source []byte
	for _, name := range []string{"prelude.lua", "accept.lua"} {
		part, err := os.ReadFile(filepath.Join(root, "receiver", "store", "lua", name))
		if err != nil {
			return nil, err
		}
		source = append(source, part...)
	}
	pipeline, err := redis.NewClient(options).AsyncAutoPipelineWithOptions(&redis.AutoPipelineOptions{
		MaxBatchSize: 300, MaxConcurrentBatches: 1, MaxQueuedCommands: 8192,
	})
	if err != nil {
		return nil, err
	}
	return &bare{redis: pipeline, script: string(source), sha: redis.NewScript(string(source)).Hash()}, nil
}

// ServeHTTP implements http.Handler.
func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := verifiedBody(w, r)
	if !ok {
		return
	}
	if err := b.store(r.Context(), r.Header.Get("X-GitHub-Delivery"), body); err != nil {
		http.Error(w, "the event could not be stored", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// verifiedBody reads the body and checks its HMAC; false: the sender is answered.
func verifiedBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bareMaxBody))
	if err != nil {
		http.Error(w, "the body can't be read", http.StatusBadRequest)
		return nil, false
	}
	mac := hmac.New(sha256.New, []byte(loadSecret))
	mac.Write(body)
	want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	if !hmac.Equal([]byte(r.Header.Get("X-Hub-Signature-256")), []byte(want)) {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return nil, false
	}
	return body, true
}

// store runs the script as the receiver does.
func (b *bare) store(ctx context.Context, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, bareTimeout)
	defer cancel()
	partition := "bare:{" + strconv.FormatUint(b.n.Add(1)%barePartitions, 10) + "}:"
	keys := []string{partition + "event:" + id, partition + "due", partition + "attempts", partition + "delayed", partition + "dead",
		partition + "held", partition + "usage", partition + "dead:bare", partition + "marks"}
	now := time.Now()
	args := []any{append([]byte("P"), body...), now.Add(bareLease).UnixMicro(), now.UnixMicro(), "{}", "0", "bare", 0, make([]byte, 16), id + "/"}
	reply, err := b.run(ctx, "evalsha", b.sha, keys, args)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = b.run(ctx, "eval", b.script, keys, args)
	}
	if err == nil && reply != "accepted" {
		err = errors.New("the event was there before")
	}
	return err
}

// run queues the script with those of concurrent requests.
func (b *bare) run(ctx context.Context, command, script string, keys []string, args []any) (any, error) {
	all := append(make([]any, 0, 3+len(keys)+len(args)), command, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	if err := b.redis.Submit(ctx, cmd).WaitContext(ctx); err != nil {
		return nil, err
	}
	return cmd.Result()
}
