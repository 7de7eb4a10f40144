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
		Path:          Path(endpoint),
		PublicURL:     publicURL(in.Settings.PublicURL, endpoint),
		Unavailable:   whyUnavailable(slices.Concat(result.Accepted, heavy)),
		Provider:      sender.Provider,
		Keys:          keys,
		Fetched:       fetched,
		Parameters:    parameters.list,
		Responses:     responses(sender.Responses),
		AckTime:       route.Duration(min(sender.AckTime, route.MaxAckTime)),
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

// publicURL is the URL that a provider signs; "" if the manager has no --public-url.
func publicURL(base string, endpoint *v1alpha1.WebhookEndpoint) string {
	if base == "" {
		return ""
	}
	return base + Path(endpoint)
}

// whyUnavailable is the sentence of a route that answers 503 to every request; "" if it
// serves them. Beyond the quota that is enough: senders come again when there is room.
//
// One of spec.routes that can't be compiled makes the whole endpoint unavailable, as a wrong
// secret does. Without that route, its events would go to the target that gets the rest,
// or be acknowledged and dropped. Nor can its last valid match go on: it is
// written nowhere, and would be lost with a restart.
func whyUnavailable(problems Problems) string {
	if len(problems) == 0 {
		return ""
	}
	return problems[0].Message
}
