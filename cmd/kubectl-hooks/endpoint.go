package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
)

// maxSuggestions bounds how many names an error suggests.
const maxSuggestions = 3

// endpointName reads an ENDPOINT argument: NAME or NAMESPACE/NAME.
func (a *app) endpointName(argument string) (types.NamespacedName, error) {
	namespace, name, both := strings.Cut(argument, "/")
	if !both {
		name = argument
		var err error
		if namespace, err = a.namespace(); err != nil {
			return types.NamespacedName{}, err
		}
	}
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, cli.Usagef("%q is no endpoint: write its name, or namespace/name", argument)
	}
	if asked := *a.flags.Namespace; both && asked != "" && asked != namespace {
		return types.NamespacedName{}, cli.Usagef("the endpoint %s is not in the namespace %s: leave out --namespace, or the namespace before the name", argument, asked)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// endpoint gets the WebhookEndpoint of an ENDPOINT argument.
func (a *app) endpoint(ctx context.Context, argument string) (*v1alpha1.WebhookEndpoint, error) {
	key, err := a.endpointName(argument)
	if err != nil {
		return nil, err
	}
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	endpoint := &v1alpha1.WebhookEndpoint{}
	if err := c.Get(ctx, key, endpoint); err != nil {
		if apierrors.IsNotFound(err) && !isMissingAPI(err) {
			return nil, a.unknownEndpoint(ctx, key)
		}
		return nil, err
	}
	return endpoint, nil
}

// checkEndpoint is the name of an ENDPOINT argument, which must be there. Whoever
// may see events but not endpoints is believed.
func (a *app) checkEndpoint(ctx context.Context, argument string) (types.NamespacedName, error) {
	endpoint, err := a.endpoint(ctx, argument)
	if apierrors.IsForbidden(err) {
		return a.endpointName(argument)
	}
	if err != nil {
		return types.NamespacedName{}, err
	}
	return client.ObjectKeyFromObject(endpoint), nil
}

// unknownEndpoint says which endpoint may be meant instead.
func (a *app) unknownEndpoint(ctx context.Context, key types.NamespacedName) error {
	here := a.endpointNames(ctx, key.Namespace)
	if len(here) == 0 {
		if elsewhere := a.namesakes(ctx, key.Name); len(elsewhere) > 0 {
			return fmt.Errorf("there is no endpoint %s in the namespace %s: did you mean %s?", key.Name, key.Namespace, strings.Join(elsewhere, " or "))
		}
		return fmt.Errorf("there is no endpoint %s, and no other in the namespace %s: -n names another namespace", key.Name, key.Namespace)
	}
	if near := closeTo(key.Name, here); len(near) > 0 {
		return fmt.Errorf("there is no endpoint %s in the namespace %s: did you mean %s?", key.Name, key.Namespace, strings.Join(near, " or "))
	}
	return fmt.Errorf("there is no endpoint %s in the namespace %s: kubectl get webhookendpoints --namespace %s lists those that are there", key.Name, key.Namespace, key.Namespace)
}

// endpointNames are the names of a namespace, as far as the caller may see them.
func (a *app) endpointNames(ctx context.Context, namespace string) []string {
	var list v1alpha1.WebhookEndpointList
	if err := a.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names
}

// namesakes are endpoints of that name in other namespaces.
func (a *app) namesakes(ctx context.Context, name string) []string {
	var list v1alpha1.WebhookEndpointList
	if err := a.client.List(ctx, &list); err != nil {
		return nil
	}
	var found []string
	for i := range list.Items {
		if e := &list.Items[i]; e.Name == name && len(found) < maxSuggestions {
			found = append(found, e.Namespace+"/"+e.Name)
		}
	}
	return found
}

// closeTo are the names that may be meant by a mistyped one, the closest first.
func closeTo(name string, names []string) []string {
	most := max(2, len(name)/3)
	near := slices.DeleteFunc(slices.Clone(names), func(other string) bool {
		return editDistance(name, other) > most && !strings.HasPrefix(other, name)
	})
	slices.SortStableFunc(near, func(x, y string) int { return editDistance(name, x) - editDistance(name, y) })
	return near[:min(len(near), maxSuggestions)]
}

// editDistance is how many characters to insert, delete or replace to make one
// text of the other (Levenshtein).
func editDistance(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(to) {
			replace := diagonal
			if from[i] != to[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
