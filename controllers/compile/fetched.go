package compile

import (
	"fmt"
	"strings"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/verify"
)

// KeySources lists the documents in which the sender of an endpoint publishes
// its keys; they are to be in Input.Fetched.
func KeySources(endpoint *v1alpha1.WebhookEndpoint, sender *provider.Sender, facts SecretFacts) []verify.FetchSource {
	if sender == nil || sender.Problem != "" {
		return nil
	}
	sources, err := sender.Provider.FetchURLs(resolveParameters(endpoint, sender, facts).values())
	if err != nil {
		return nil
	}
	return sources
}

// resolveKeys makes the fetched keys of the route, by URL. Keys that are not
// known because the manager has just started are those of the published route.
func resolveKeys(in Input, sender *provider.Sender, given parameters) (map[string]string, Problems) {
	sources, err := sender.Provider.FetchURLs(given.values())
	if err != nil && len(given.problems) > 0 {
		return nil, nil // the problem of the parameter says so
	}
	if err != nil {
		return nil, problem(v1alpha1.ReasonParameterInvalid,
			"The provider %q can't use what is in spec.parameters: %s.", in.Endpoint.Spec.Provider, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var (
		fetched  map[string]string
		problems Problems
	)
	for _, source := range sources {
		keys := in.Fetched[source].Keys
		if keys == nil {
			keys = publishedKeys(in, source)
		}
		if keys == nil {
			problems = append(problems, notFetched(in, source))
			continue
		}
		if fetched == nil {
			fetched = map[string]string{}
		}
		fetched[source.URL] = string(keys)
	}
	return fetched, problems
}

// publishedKeys are the keys of a source in the published route; nil: none.
func publishedKeys(in Input, source verify.FetchSource) []byte {
	if in.Published == nil {
		return nil
	}
	source.JSON = "" // the route has the key itself
	keys, err := source.Keys([]byte(in.Published.Fetched[source.URL]))
	if err != nil {
		return nil
	}
	return keys
}

func notFetched(in Input, source verify.FetchSource) Problem {
	how := "are being fetched from " + source.URL
	if problem := in.Fetched[source].Problem; problem != "" {
		how = fmt.Sprintf("could not be fetched from %s yet: %s", source.URL, problem)
	}
	return Problem{v1alpha1.ReasonKeysNotFetched, fmt.Sprintf("The keys of the provider %q %s.", in.Endpoint.Spec.Provider, how)}
}
