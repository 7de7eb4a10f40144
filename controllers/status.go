package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	apply "sallyport.dev/sallyport/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// facts are what the conditions of an endpoint are made of.
type facts struct {
	result compile.Result
	// published: the route is in the API server.
	published  bool
	publishErr error
	rollout    rollout
	// use is which secrets senders have used since the rotation started.
	use route.KeyUse
}

// writeStatus writes the status of an endpoint, if it differs from what is there.
func (r *WebhookEndpointReconciler) writeStatus(ctx context.Context, endpoint *v1alpha1.WebhookEndpoint, f facts) error {
	status := endpointStatus(endpoint, f)
	if equality.Semantic.DeepEqual(status, endpoint.Status) {
		return nil
	}
	written := apply.WebhookEndpointStatus().
		WithObservedGeneration(status.ObservedGeneration).
		WithURL(status.URL).
		WithConditions(conditionConfigs(slices.DeleteFunc(slices.Clone(status.Conditions), isOfTraffic))...)
	written.SecretRotation = rotationConfig(status.SecretRotation)
	config := apply.WebhookEndpoint(endpoint.Name, endpoint.Namespace).
		WithResourceVersion(endpoint.ResourceVersion).
		WithStatus(written)
	if err := ignoreChanged(r.Client.Status().Apply(ctx, config, FieldOwner, client.ForceOwnership)); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}

// ignoreChanged drops the error of a status that was made for an older version of its
// object. Each status is bound to a resourceVersion: otherwise it could reach an object that
// was deleted and made again, or describe the old spec on the new one. The change has
// an event of its own, so there is nothing left to do.
func ignoreChanged(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// endpointStatus makes the status of the facts. It is the one place that sets
// conditions of an endpoint, but for Degraded, which the TrafficReporter sets.
func endpointStatus(endpoint *v1alpha1.WebhookEndpoint, f facts) v1alpha1.WebhookEndpointStatus {
	status := *endpoint.Status.DeepCopy()
	status.ObservedGeneration = endpoint.Generation
	status.URL = f.result.URL
	status.SecretRotation = secretRotation(status.SecretRotation, f.result.Rotation, f.use)

	conditions := []metav1.Condition{accepted(f.result), resolvedRefs(f.result), programmed(f)}
	conditions, stuck := append(conditions, ready(endpoint, f.rollout.outage, conditions)), stalled(conditions)
	if stuck != nil {
		conditions = append(conditions, *stuck)
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionStalled)
	}
	for _, condition := range conditions {
		condition.ObservedGeneration = endpoint.Generation
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	return status
}

func accepted(result compile.Result) metav1.Condition {
	return condition(v1alpha1.ConditionAccepted, result.Accepted, v1alpha1.ReasonAccepted, "The endpoint is valid and has its path.")
}

func resolvedRefs(result compile.Result) metav1.Condition {
	if result.Route == nil {
		return isFalse(v1alpha1.ConditionResolvedRefs, result.Accepted.Reason(), "The references are looked at once the endpoint is accepted.")
	}
	message := strings.Join(append([]string{"Provider, secret and targets are in order."}, result.Notes...), " ")
	return condition(v1alpha1.ConditionResolvedRefs, result.ResolvedRefs, v1alpha1.ReasonResolvedRefs, message)
}

func programmed(f facts) metav1.Condition {
	const kind = v1alpha1.ConditionProgrammed
	switch {
	case f.publishErr != nil:
		return isFalse(kind, v1alpha1.ReasonNotPublished, "The route could not be published and will be tried again: the manager's log has the error of the API server.")
	case !f.published:
		return isFalse(kind, v1alpha1.ReasonNotPublished, "No receiver serves this endpoint: see the condition Accepted.")
	case len(f.result.Programmed) > 0:
		return isFalse(kind, f.result.Programmed.Reason(), f.result.Programmed.Message())
	case f.rollout.live == 0:
		return isFalse(kind, v1alpha1.ReasonNoReceivers, "No receiver is alive: look at the pods of the receiver.")
	case len(f.rollout.behind) > 0:
		return isFalse(kind, v1alpha1.ReasonPending, "Waiting for receivers to serve the current route: "+namesOf(f.rollout.behind)+".")
	}
	return isTrue(kind, v1alpha1.ReasonProgrammed, "Every live receiver serves the current route.")
}

// ready sums up: it is false for the reason of the first condition that is, or while
// nothing can be stored. A pause is what was asked for, so it leaves Ready true, and the
// message says so.
func ready(endpoint *v1alpha1.WebhookEndpoint, store outage, conditions []metav1.Condition) metav1.Condition {
	for _, c := range conditions {
		if c.Status != metav1.ConditionTrue {
			return isFalse(v1alpha1.ConditionReady, c.Reason, c.Message)
		}
	}
	if store.state != "" {
		return isFalse(v1alpha1.ConditionReady, v1alpha1.ReasonStoreUnavailable, store.String())
	}
	if endpoint.Spec.Paused {
		return isTrue(v1alpha1.ConditionReady, v1alpha1.ReasonReady, pausedMessage(endpoint))
	}
	return isTrue(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "The next webhook is handled as this generation says.")
}

// transientReasons are those that pass without anybody doing anything.
var transientReasons = []string{
	v1alpha1.ReasonNotPublished, v1alpha1.ReasonNoReceivers, v1alpha1.ReasonPending, v1alpha1.ReasonKeysNotFetched,
}

// stalled is the condition of an endpoint that waits for a person; nil: it doesn't. By
// this condition kstatus distinguishes a failed endpoint from one that is not ready yet.
func stalled(conditions []metav1.Condition) *metav1.Condition {
	for _, c := range conditions {
		if c.Status != metav1.ConditionTrue && !slices.Contains(transientReasons, c.Reason) {
			return new(isTrue(v1alpha1.ConditionStalled, c.Reason, c.Message))
		}
	}
	return nil
}

// isOfTraffic reports whether the TrafficReporter writes the condition.
func isOfTraffic(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionDegraded }

// degraded makes a condition of the traffic of an endpoint. It is no part of Ready: the
// endpoint works, and what senders or targets do needs a look.
func degraded(usage store.Usage, traffic store.Traffic) metav1.Condition {
	const kind = v1alpha1.ConditionDegraded
	switch {
	case traffic.RejectedInRow >= rejectionsInARow:
		return isTrue(kind, v1alpha1.ReasonSignaturesFail,
			"The last requests were not authentic: compare the Secret with what the provider signs with. kubectl hooks tail shows each of them.")
	case usage.Dead > 0:
		return isTrue(kind, v1alpha1.ReasonDeadLetters,
			"There are dead letters: kubectl hooks dead lists them, kubectl hooks replay delivers them again.")
	}
	return isFalse(kind, v1alpha1.ReasonAsExpected, "Nothing needs a look.")
}

func pausedMessage(endpoint *v1alpha1.WebhookEndpoint) string {
	if d := endpoint.Spec.Delivery; d != nil && d.Mode == v1alpha1.DeliveryModeSync {
		return "The endpoint is paused: senders get 503."
	}
	return "The endpoint is paused: events are accepted and stored, and nothing is delivered."
}

func condition(kind string, problems compile.Problems, reason, message string) metav1.Condition {
	if len(problems) > 0 {
		return isFalse(kind, problems.Reason(), problems.Message())
	}
	return isTrue(kind, reason, message)
}

// What the API server takes, in characters. Messages quote names from specs, and a
// status that is too long would be refused as a whole.
const (
	maxMessage  = 32768 // of a condition
	maxSentence = 1024  // of status.unauthenticated
)

// shorten cuts s to at most n characters.
func shorten(s string, n int) string {
	const ellipsis = "..."
	if characters := []rune(s); len(characters) > n {
		return string(characters[:n-len(ellipsis)]) + ellipsis
	}
	return s
}

func isTrue(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: shorten(message, maxMessage)}
}

func isFalse(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: shorten(message, maxMessage)}
}

// secretRotation is how far the change to a new secret has come. What the status said
// before of the same change stays when receivers forget what they saw.
func secretRotation(before *v1alpha1.SecretRotationStatus, rotation *compile.Rotation, use route.KeyUse) *v1alpha1.SecretRotationStatus {
	if rotation == nil {
		return nil
	}
	after := &v1alpha1.SecretRotationStatus{
		StartTime:              metav1.NewTime(rotation.Started),
		PreviousExpirationTime: metav1.NewTime(rotation.PreviousEnds),
		CurrentFirstUsedTime:   seen(use.CurrentFirst),
		PreviousLastUsedTime:   seen(use.PreviousLast),
	}
	if before == nil || !before.StartTime.Equal(&after.StartTime) {
		return after
	}
	if first := before.CurrentFirstUsedTime; after.CurrentFirstUsedTime == nil || first.Before(after.CurrentFirstUsedTime) {
		after.CurrentFirstUsedTime = first
	}
	if last := before.PreviousLastUsedTime; after.PreviousLastUsedTime == nil || after.PreviousLastUsedTime.Before(last) {
		after.PreviousLastUsedTime = last
	}
	return after
}

// seen is the time of a use that receivers have seen; nil: they have seen none.
func seen(seconds int64) *metav1.Time {
	if seconds == 0 {
		return nil
	}
	return new(metav1.NewTime(route.Seen(seconds)))
}

func rotationConfig(status *v1alpha1.SecretRotationStatus) *apply.SecretRotationStatusApplyConfiguration {
	if status == nil {
		return nil
	}
	config := apply.SecretRotationStatus().WithStartTime(status.StartTime).WithPreviousExpirationTime(status.PreviousExpirationTime)
	config.CurrentFirstUsedTime, config.PreviousLastUsedTime = status.CurrentFirstUsedTime, status.PreviousLastUsedTime
	return config
}

// maxNames keeps a message readable when many receivers are behind.
const maxNames = 5

func namesOf(names []string) string {
	if len(names) > maxNames {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), len(names)-maxNames)
	}
	return strings.Join(names, ", ")
}

func conditionConfigs(conditions []metav1.Condition) []*applymeta.ConditionApplyConfiguration {
	configs := make([]*applymeta.ConditionApplyConfiguration, len(conditions))
	for i, c := range conditions {
		configs[i] = applymeta.Condition().
			WithType(c.Type).WithStatus(c.Status).WithReason(c.Reason).WithMessage(c.Message).
			WithObservedGeneration(c.ObservedGeneration).WithLastTransitionTime(c.LastTransitionTime)
	}
	return configs
}
