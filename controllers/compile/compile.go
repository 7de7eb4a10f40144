package compile

import (
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
	keys, notes, secretProblems := resolveSecret(endpoint, sender, in.Secret)
	target, targetProblems := resolveTarget(endpoint, in.Service, in.Settings.AllowExternalName)
	result.Notes = notes
	result.ResolvedRefs = append(append(senderProblems, secretProblems...), targetProblems...)

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
		Unavailable:   unavailable(senderProblems, secretProblems),
		Provider:      sender.Provider,
		Keys:          keys,
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
func unavailable(problems ...Problems) string {
	for _, p := range problems {
		if len(p) > 0 {
			return p[0].Message
		}
	}
	return ""
}
