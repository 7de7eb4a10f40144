package main

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
)

// completeTimeout bounds how long a shell waits for completions.
const completeTimeout = 3 * time.Second

// mustComplete sets how a flag is completed. That fails only for a flag that the
// command doesn't have.
func mustComplete(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err)
	}
}

// completer makes a completion of a function that lists candidates, each a value
// or "value\tdescription". Errors complete nothing: a shell has no place for them.
func (a *app) completer(list func(ctx context.Context, args []string, typed string) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		a.ErrOut = io.Discard
		if _, err := a.connect(); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, stop := context.WithTimeout(cmd.Context(), completeTimeout)
		defer stop()
		candidates := slices.DeleteFunc(list(ctx, args, typed), func(candidate string) bool {
			return !strings.HasPrefix(candidate, typed)
		})
		return candidates, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeEndpoint completes the only argument, ENDPOINT.
func (a *app) completeEndpoint() cobra.CompletionFunc {
	return a.completer(func(ctx context.Context, args []string, typed string) []string {
		if len(args) > 0 {
			return nil
		}
		return a.endpointCandidates(ctx, typed)
	})
}

// completeEndpointThenDead completes ENDPOINT and then ids of its dead letters.
func (a *app) completeEndpointThenDead() cobra.CompletionFunc {
	return a.completer(func(ctx context.Context, args []string, typed string) []string {
		if len(args) == 0 {
			return a.endpointCandidates(ctx, typed)
		}
		key, err := a.endpointName(args[0])
		if err != nil {
			return nil
		}
		ids := a.eventCandidates(ctx, scope{key.Namespace, key.Name}, fields.Set{fieldEventState: string(eventsv1alpha1.StateDeadLettered)})
		return slices.DeleteFunc(ids, func(candidate string) bool {
			id, _, _ := strings.Cut(candidate, "\t")
			return slices.Contains(args[1:], id)
		})
	})
}

// completeEvent completes the only argument, EVENT, by the ids of recent events.
func (a *app) completeEvent() cobra.CompletionFunc {
	return a.completer(func(ctx context.Context, args []string, _ string) []string {
		s, err := a.scopeOf(ctx, nil, false)
		if err != nil || len(args) > 0 {
			return nil
		}
		return a.eventCandidates(ctx, s, nil)
	})
}

// endpointCandidates are endpoints: NAME, or NAMESPACE/NAME once there is a slash.
func (a *app) endpointCandidates(ctx context.Context, typed string) []string {
	namespace, _, both := strings.Cut(typed, "/")
	if !both {
		var err error
		if namespace, err = a.namespace(); err != nil {
			return nil
		}
	}
	var found v1alpha1.WebhookEndpointList
	if err := a.client.List(ctx, &found, client.InNamespace(namespace)); err != nil {
		return nil
	}
	candidates := make([]string, len(found.Items))
	for i := range found.Items {
		candidates[i] = found.Items[i].Name + "\t" + found.Items[i].Spec.Provider
		if both {
			candidates[i] = namespace + "/" + candidates[i]
		}
	}
	return candidates
}

// eventCandidates are ids of events.
func (a *app) eventCandidates(ctx context.Context, s scope, selectors fields.Set) []string {
	list, err := a.listEvents(ctx, s, selectors, nil)
	if err != nil {
		return nil
	}
	candidates := make([]string, len(list.Items))
	for i := range list.Items {
		spec := &list.Items[i].Spec
		candidates[i] = human.OneLine(spec.EventID) + "\t" + human.OneLine(spec.Endpoint+" "+spec.Type)
	}
	return candidates
}

// typeCandidates are the types of recent events of an endpoint, or of all.
func (a *app) typeCandidates(ctx context.Context, args []string, _ string) []string {
	s, err := a.scopeOf(ctx, args[:min(1, len(args))], false)
	if err != nil {
		return nil
	}
	list, err := a.listEvents(ctx, s, nil, nil)
	if err != nil {
		return nil
	}
	var types []string
	for i := range list.Items {
		if name := human.OneLine(list.Items[i].Spec.Type); name != "" && !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	return types
}

// schemeCandidates are the schemes of an endpoint's provider.
func (a *app) schemeCandidates(ctx context.Context, args []string, _ string) []string {
	if len(args) == 0 {
		return nil
	}
	endpoint, err := a.endpoint(ctx, args[0])
	if err != nil {
		return nil
	}
	provider, err := a.provider(ctx, endpoint.Spec.Provider)
	if err != nil {
		return nil
	}
	names := make([]string, len(provider.Spec.Verify))
	for i := range provider.Spec.Verify {
		names[i] = provider.Spec.Verify[i].Name + "\t" + string(provider.Spec.Verify[i].Algorithm)
	}
	return names
}

// completeGlobalFlags completes --namespace and --context.
func (a *app) completeGlobalFlags(root *cobra.Command) {
	mustComplete(root, "namespace", a.completer(func(ctx context.Context, _ []string, _ string) []string {
		var found corev1.NamespaceList
		if err := a.client.List(ctx, &found); err != nil {
			return nil
		}
		names := make([]string, len(found.Items))
		for i := range found.Items {
			names[i] = found.Items[i].Name
		}
		return names
	}))
	mustComplete(root, "context", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		config, err := a.flags.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.Sorted(maps.Keys(config.Contexts)), cobra.ShellCompDirectiveNoFileComp
	})
}
