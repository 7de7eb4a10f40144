package compile

import (
	"slices"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/route"
)

// quotaRecheck is how soon room is noticed that an endpoint left while the status
// of this one was being written; otherwise it is noticed at once.
const quotaRecheck = time.Minute

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
	targets := resolveTargets(in)
	keys := routeKeys(in, sender, secrets)
	result.Rotation, result.Recheck = rotation(keys), firstEnd(keys)
	result.Notes = slices.Concat(secrets.notes, parameters.notes, targets.notes, in.Quota.Ignored)
	heavy := slices.Concat(senderProblems, secrets.problems, parameters.problems, fetchProblems)
	beyond := overQuota(in)
	result.Accepted = slices.Concat(beyond, targets.invalid, checkWindow(endpoint.Spec.Deduplication, sender))
	result.ResolvedRefs = slices.Concat(heavy, targets.problems)

	result.Route = &route.Route{
		Version: route.Version,
		Endpoint: route.Endpoint{
			Namespace:  endpoint.Namespace,
			Name:       endpoint.Name,
			UID:        string(endpoint.UID),
			Generation: endpoint.Generation,
			Created:    endpoint.CreationTimestamp.UTC(),
		},
		Path:      Path(endpoint),
		PublicURL: publicURL(in.Settings.PublicURL, endpoint),
		// What is beyond the quota waits, too: senders come again when there is room. A
		// route that nobody can read makes the whole endpoint wait, as a wrong secret
		// does. To go on without it would hand its events to the target that gets the
		// rest, or acknowledge and drop them; to go on with what it said before would
		// serve what is written nowhere any more, and not after a restart.
		Unavailable:   unavailable(slices.Concat(result.Accepted, heavy)),
		Provider:      sender.Provider,
		Keys:          keys,
		Fetched:       fetched,
		Parameters:    parameters.list,
		Responses:     responses(sender.Responses),
		Target:        targets.fallback,
		Routes:        targets.routes,
		Delivery:      delivery(endpoint.Spec.Delivery),
		Deduplication: deduplication(endpoint.Spec.Deduplication, sender),
		Limits:        limits(endpoint.Spec.Limits, sender, in.Quota),
	}
	pause(&result.Route.Delivery, in)
	if len(beyond) > 0 {
		result.recheck(in.Now.Add(quotaRecheck))
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
