package cel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The smallest replay.
const minimalReplay = `
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookReplay
metadata: {name: again, namespace: default}
spec:
  endpointRef: {name: stripe}
`

// A replay that says everything.
const fullReplay = `
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookReplay
metadata: {name: again, namespace: default}
spec:
  endpointRef: {name: stripe}
  selector:
    state: DeadLettered
    since: "2026-03-01T12:00:00Z"
    until: "2026-03-01T13:00:00Z"
    types: ["invoice.*", "charge.failed"]
    eventIDs: [evt_1, evt_2]
    limit: 10
`

func TestReplayMayBeFull(t *testing.T) {
	if _, err := create(t, manifest(t, fullReplay)); err != nil {
		t.Fatal(sentences(err))
	}
}

func TestReplayEndpoint(t *testing.T) {
	const replayEndpointRule = "endpointRef.name must be the name of a WebhookEndpoint in the same namespace"
	check(t, manifest(t, minimalReplay), []rule{
		{field: "spec.endpointRef.name", says: replayEndpointRule,
			good: []any{"a", "stripe-2", strings.Repeat("a", 55)},
			bad:  []any{"", "Stripe", "billing/stripe", "1password", "stripe-"}},
		{field: "spec.endpointRef.name", says: "Too long: may not be more than 55 bytes", bad: []any{strings.Repeat("a", 56)}},
		{field: "spec.endpointRef.name", says: missing, bad: []any{nil}},
		{field: "spec.endpointRef", says: missing, bad: []any{nil}},
	})
}

func TestReplaySelector(t *testing.T) {
	const order = "@spec.selector: selector.since must be before selector.until"
	many := make([]any, 1001)
	for i := range many {
		many[i] = fmt.Sprintf("evt_%d", i)
	}
	selector := func(fields ...any) any {
		all := map[string]any{}
		for i := 0; i < len(fields); i += 2 {
			all[fields[i].(string)] = fields[i+1]
		}
		return all
	}
	const noon, one = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
	check(t, manifest(t, minimalReplay), []rule{
		{field: "spec.selector", says: order,
			good: []any{selector(), selector("since", noon), selector("until", noon), selector("since", noon, "until", one)},
			bad:  []any{selector("since", one, "until", noon), selector("since", noon, "until", noon), selector("since", noon, "until", "2026-03-01T13:00:00+02:00")}},
		{field: "spec.selector.since", says: `spec.selector.since in body must be of type date-time: "yesterday"`, bad: []any{"yesterday"}},
		{field: "spec.selector.state", says: `Unsupported value: "Delivered": supported values: "DeadLettered"`, good: []any{"DeadLettered"}, bad: []any{"Delivered"}},
		{field: "spec.selector.types", says: "spec.selector.types in body should have at least 1 items", good: []any{[]any{"*"}, []any{"a.*", "b"}}, bad: []any{[]any{}}},
		{field: "spec.selector.types", says: "@spec.selector.types[0]: spec.selector.types[0] in body should be at least 1 chars long", bad: []any{[]any{""}}},
		{field: "spec.selector.types", says: "@spec.selector.types[0]: Too long: may not be more than 256 bytes", bad: []any{[]any{strings.Repeat("a", 257)}}},
		{field: "spec.selector.types", says: "@spec.selector.types[0]: selector.types must not be longer than 256 bytes", good: []any{[]any{strings.Repeat("é", 128)}}, bad: []any{[]any{strings.Repeat("é", 129)}}},
		{field: "spec.selector.types", says: "Too many: 65: must have at most 64 items", good: []any{many[:64]}, bad: []any{many[:65]}},
		{field: "spec.selector.eventIDs", says: "spec.selector.eventIDs in body should have at least 1 items", good: []any{[]any{"evt_1"}, many[:1000]}, bad: []any{[]any{}}},
		{field: "spec.selector.eventIDs", says: "Too many: 1001: must have at most 1000 items", bad: []any{many}},
		{field: "spec.selector.eventIDs", says: `@spec.selector.eventIDs[1]: Duplicate value: "a"`, bad: []any{[]any{"a", "a"}}},
		{field: "spec.selector.limit", says: "spec.selector.limit in body should be greater than or equal to 1", good: []any{int64(1), int64(1_000_000)}, bad: []any{int64(0), int64(-1)}},
	})
}

func TestReplayDefaults(t *testing.T) {
	stored, err := create(t, with(t, manifest(t, minimalReplay), "spec.selector", map[string]any{}))
	if err != nil {
		t.Fatal(err)
	}
	if got := valueAt(t, stored, "spec.selector.state"); got != "DeadLettered" {
		t.Errorf("the state is %v, want DeadLettered", got)
	}
	// kstatus takes an object without conditions for complete, unless it says that
	// nobody has seen it.
	if diff := cmp.Diff(map[string]any{"observedGeneration": int64(-1)}, stored.Object["status"]); diff != "" {
		t.Errorf("the status (-want +got):\n%s", diff)
	}
}

// A replay runs once. What has no influence on it may be edited.
func TestReplayCannotBeChanged(t *testing.T) {
	stored := manifest(t, fullReplay)
	if err := api.Create(t.Context(), stored); err != nil {
		t.Fatal(sentences(err))
	}
	defer func() {
		if err := api.Delete(t.Context(), stored); err != nil {
			t.Error(err)
		}
	}()
	const says = "spec: spec of a WebhookReplay can't be changed, because it runs once: create another WebhookReplay"
	for field, value := range map[string]any{
		"spec.endpointRef.name":  "github",
		"spec.selector.since":    "2026-03-01T11:00:00Z",
		"spec.selector.until":    nil,
		"spec.selector.types":    []any{"invoice.*"},
		"spec.selector.eventIDs": []any{"evt_3"},
		"spec.selector.limit":    int64(11),
		"spec.selector":          nil,
	} {
		t.Run(field, func(t *testing.T) {
			err := update(t, with(t, stored, field, value))
			if got := sentences(err); !slices.Equal(got, []string{says}) {
				t.Errorf("the answer is %q, want %q", got, says)
			}
		})
	}
	if err := update(t, with(t, stored, "metadata.labels", map[string]any{"team": "billing"})); err != nil {
		t.Errorf("a label is refused: %q", sentences(err))
	}
}
