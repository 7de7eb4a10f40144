package compile

import (
	"slices"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// Endpoint compiles an endpoint. Equal inputs give equal results.
func Endpoint(in Input) Result {
	endpoint := in.Endpoint
	if conflict := pathConflict(endpoint, in.Rivals); conflict != nil {
		return Result{Accepted: conflict}
	}
	result := Result{URL: in.Settings.PublicURL + Path(endpoint)}
	result.Alias, result.Programmed = alias(in)

	sender, senderProblems := resolveSender(endpoint, in.Sender, in.Settings.PublicURL)
	secrets := resolveSecret(endpoint, sender, in.Secret)
	parameters := resolveParameters(endpoint, sender, in.Secret)
	fetched, fetchProblems := resolveKeys(in, sender, parameters)
	target, targetProblems := resolveTarget(endpoint, in.Service, in.Settings.AllowExternalName)
	keys := routeKeys(in, sender, secrets)
	result.Rotation, result.Recheck = rotation(keys), firstEnd(keys)
	result.Notes = slices.Concat(secrets.notes, parameters.notes)
	heavy := slices.Concat(senderProblems, secrets.problems, parameters.problems, fetchProblems)
	result.ResolvedRefs = slices.Concat(heavy, targetProblems)

	result.Route = &route.Route{
		Version: route.Version,
		Endpoint: route.Endpoint{
			Namespace:  endpoint.Namespace,
			Name:       endpoint.Name,
			UID:        string(endpoint.UID),
			Generation: endpoint.Generation,
			Created:    endpoint.CreationTimestamp.UTC(),
		},
		Path:          Path(endpoint),
		PublicURL:     publicURL(in.Settings.PublicURL, endpoint),
		Unavailable:   unavailable(heavy),
		Provider:      sender.Provider,
		Keys:          keys,
		Fetched:       fetched,
		Parameters:    parameters.list,
		Responses:     sender.Responses,
		Target:        target,
		Delivery:      delivery(endpoint.Spec.Delivery),
		Deduplication: deduplication(endpoint.Spec.Deduplication, sender),
		Limits:        limits(endpoint.Spec.Limits, sender),
	}
	return result
}

// publicURL is the URL that a provider signs, which only a manager that was
// told its public URL can know.
func publicURL(base string, endpoint *v1alpha1.WebhookEndpoint) string {
	if base == "" {
		return ""
	}
	return base + Path(endpoint)
}

// unavailable is the sentence of a route that must not verify anything.
func unavailable(problems Problems) string {
	if len(problems) == 0 {
		return ""
	}
	return problems[0].Message
}
