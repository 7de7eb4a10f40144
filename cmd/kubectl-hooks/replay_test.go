package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
)

func TestSelectorIsWhatWasAskedFor(t *testing.T) {
	atNoon := &app{now: func() time.Time { return noon }}
	at := func(hour int) *metav1.Time {
		return &metav1.Time{Time: time.Date(2026, 11, 25, hour, 0, 0, 0, time.UTC)}
	}
	for name, test := range map[string]struct {
		command replayCommand
		events  []string
		want    *v1alpha1.ReplaySelector
	}{
		"everything": {replayCommand{}, nil, nil},
		"events":     {replayCommand{}, []string{"a", "b", "a"}, &v1alpha1.ReplaySelector{EventIDs: []string{"a", "b"}}},
		"all at once": {
			replayCommand{since: "2h", until: "2026-11-25T11:00:00Z", types: []string{"a.*"}, limit: 5}, []string{"a"},
			&v1alpha1.ReplaySelector{Since: at(10), Until: at(11), Types: []string{"a.*"}, EventIDs: []string{"a"}, Limit: new(int64(5))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.command.app = atNoon
			got, err := test.command.selector(test.events)
			if err != nil {
				t.Fatal(err)
			}
			if test.want != nil {
				test.want.State = v1alpha1.ReplayDeadLettered
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the selector is not what was asked for (-want +got):\n%s", diff)
			}
		})
	}
	for says, c := range map[string]replayCommand{
		"--since=soon":             {since: "soon"},
		"--until=":                 {until: "x"},
		"is not before --until=2h": {since: "1h", until: "2h"},
		"--limit=-1":               {limit: -1},
	} {
		c.app = atNoon
		_, err := c.selector(nil)
		wantError(t, err, says)
	}
	_, err := new(replayCommand).selector(make([]string, maxReplayIDs+1))
	wantError(t, err, "1001 events are too many")
}

func TestReplayIsCreatedOnlyWithoutDryRun(t *testing.T) {
	namespace := newNamespace(t)
	newEndpoint(t, namespace, "stripe", "stripe", nil)
	for _, test := range []struct {
		args    []string
		says    string
		created int
	}{
		{[]string{"--dry-run"}, "webhookreplay stripe-... would be created", 0},
		{[]string{"--dry-run=server"}, "(server dry run)", 0},
		{[]string{"--dry-run=client", "-o", "yaml", "--type", "a.*"}, "generateName: stripe-", 0},
		{[]string{"--no-wait", "evt_1"}, "created in the namespace " + namespace, 1},
		{[]string{"--wait=false", "-o", "name"}, "webhookreplay.hooks.sallyport.dev/stripe-", 2},
	} {
		stdout, _, err := hooks(t, append([]string{"replay", "stripe", "-n", namespace}, test.args...)...)
		if err != nil {
			t.Fatalf("%q: %v", test.args, err)
		}
		wantContains(t, stdout, test.says)
		var list v1alpha1.WebhookReplayList
		if err := api.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != test.created {
			t.Errorf("after %q there are %d replays, want %d", test.args, len(list.Items), test.created)
		}
	}
	_, _, err := hooks(t, "replay", "stripe", "-n", namespace, "--dry-run=maybe")
	wantError(t, err, "write client or server")
	_, _, err = hooks(t, "replay", "stripe", "-n", namespace, "--type", "")
	wantError(t, err, "--type: ")
	_, _, err = hooks(t, "replay", "stripe", "-n", namespace, "--since", "")
	wantError(t, err, "--since is empty")
}

// manage does what the manager does: it writes the statuses to each new replay of a
// namespace, one after the other.
func manage(t *testing.T, namespace string, statuses ...v1alpha1.WebhookReplayStatus) {
	t.Helper()
	watcher, err := api.Watch(t.Context(), &v1alpha1.WebhookReplayList{}, client.InNamespace(namespace))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watcher.ResultChan() {
			replay, ok := event.Object.(*v1alpha1.WebhookReplay)
			if !ok || event.Type != watch.Added {
				continue
			}
			for i := range statuses {
				replay.Status = *statuses[i].DeepCopy()
				replay.Status.ObservedGeneration = replay.Generation
				if err := api.Status().Update(context.WithoutCancel(t.Context()), replay); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	t.Cleanup(func() { watcher.Stop(); <-done })
}

func condition(kind, status, reason, message string) []metav1.Condition {
	return []metav1.Condition{{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: message, LastTransitionTime: metav1.Now()}}
}

func TestReplayIsWaitedFor(t *testing.T) {
	started, completed := metav1.NewTime(time.Unix(1_000, 0)), metav1.NewTime(time.Unix(1_003, 0))
	running := v1alpha1.WebhookReplayStatus{
		StartTime: &started, Matched: 5, Replayed: 4, Conditions: condition(v1alpha1.ConditionComplete, "False", v1alpha1.ReasonReplaying, "running"),
	}
	over := func(matched, replayed, failed int64) v1alpha1.WebhookReplayStatus {
		return v1alpha1.WebhookReplayStatus{
			StartTime: &started, CompletionTime: &completed, Matched: matched, Replayed: replayed, Failed: failed,
			Conditions: condition(v1alpha1.ConditionComplete, "True", v1alpha1.ReasonReplayed, "done"),
		}
	}
	for name, test := range map[string]struct {
		statuses []v1alpha1.WebhookReplayStatus
		says     string
		fails    string
	}{
		"complete":  {[]v1alpha1.WebhookReplayStatus{running, over(12, 12, 0)}, "12 of 12 dead letters handed over to be delivered again, in 3s.", ""},
		"nothing":   {[]v1alpha1.WebhookReplayStatus{over(0, 0, 0)}, "There was nothing to deliver again.", ""},
		"partially": {[]v1alpha1.WebhookReplayStatus{over(3, 2, 1)}, "2 of 3 dead letters", "1 dead letter could not be handed over"},
		"stalled": {[]v1alpha1.WebhookReplayStatus{{
			Conditions: condition(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonRedisNotConfigured, "the manager was not told where Redis is"),
		}}, "", "can't go on: the manager was not told where Redis is"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			newEndpoint(t, namespace, "stripe", "stripe", nil)
			manage(t, namespace, test.statuses...)
			stdout, _, err := hooks(t, "replay", "stripe", "-n", namespace)
			if test.fails != "" {
				wantError(t, err, test.fails)
			} else if err != nil {
				t.Fatal(err)
			}
			wantContains(t, stdout, test.says)
		})
	}
}

func TestReplayThatNobodyWorksOnEndsInTime(t *testing.T) {
	namespace := newNamespace(t)
	newEndpoint(t, namespace, "stripe", "stripe", nil)
	_, _, err := hooks(t, "replay", "stripe", "-n", namespace, "--timeout", "50ms")
	wantError(t, err, "nobody has looked at the replay stripe-", "is the manager running?")

	out := call{out: new(buffer), errOut: new(buffer)}
	ctx, stop := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, _, err := out.runWith(ctx, "replay", "stripe", "-n", namespace)
		failed <- err
	}()
	waiting, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	out.errOut.await(waiting, t, "Created webhookreplay")
	stop()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "goes on without you") {
		t.Errorf("after Ctrl-C the error is %v", err)
	}
}
