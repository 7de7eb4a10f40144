package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/receiver/store"
)

// largestBody is the largest that any endpoint takes: the bound of limits.maxBodyBytes.
const largestBody = 64 << 20

// The Redis that comes along has room for what the receivers keep by default: no
// endpoint can fill it, and each can store an event of any size.
func TestTheBundledRedisFitsTheDefaults(t *testing.T) {
	var redis appsv1.StatefulSet
	readManifest(t, "../../config/redis/statefulset.yaml", &redis)
	container := redis.Spec.Template.Spec.Containers[0]
	at := slices.Index(container.Args, "--maxmemory")
	if at < 0 {
		t.Fatal("the bundled Redis has no maxmemory")
	}
	megabytes, err := strconv.ParseInt(strings.TrimSuffix(container.Args[at+1], "mb"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	maxmemory := megabytes << 20
	bound := min(store.Memory{Max: maxmemory, Servers: 1}.Measures().EndpointBytes, store.DefaultMaxQueuedBytes)
	if bound > maxmemory/4 || bound < largestBody {
		t.Errorf("an endpoint may store %d MiB of %d", bound>>20, megabytes)
	}
	if limit := container.Resources.Limits.Memory().Value(); limit < 2*maxmemory {
		t.Errorf("the container's limit is %d, less than twice maxmemory", limit)
	}
	if volume := redis.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests[corev1.ResourceStorage]; volume.Value() < 4*maxmemory {
		t.Errorf("the volume has %d bytes, less than four times maxmemory", volume.Value())
	}

	var receiver appsv1.Deployment
	readManifest(t, "../../config/receiver/deployment.yaml", &receiver)
	container = receiver.Spec.Template.Spec.Containers[0]
	if text := strings.Join(container.Args, " "); strings.Contains(text, "max-queued-bytes") {
		t.Error("config/receiver has a bound of its own, which this test does not look at")
	}
}

func readManifest(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatal(err)
	}
}
