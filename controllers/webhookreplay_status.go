package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	apply "sallyport.dev/sallyport/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

// save adds what was done to the status of a replay, if that changes it, and
// returns the status. What was done is known only here, so it must not be lost: after a
// conflict (somebody changed a label, for example) it is added to the replay as it is now,
// it is written again while the API server fails, and even when ctx has ended.
func (r *WebhookReplayReconciler) save(ctx context.Context, replay *v1alpha1.WebhookReplay, done progress) (v1alpha1.WebhookReplayStatus, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	var status v1alpha1.WebhookReplayStatus
	err := retry.OnError(savePace, mayBeSavedLater, func() error {
		status = replayStatus(replay, done)
		if equality.Semantic.DeepEqual(status, replay.Status) {
			return nil
		}
		err := r.applyStatus(ctx, replay, status)
		if !apierrors.IsConflict(err) {
			return err
		}
		current, findErr := find(ctx, r.Live, client.ObjectKeyFromObject(replay), &v1alpha1.WebhookReplay{})
		switch {
		case findErr != nil:
			return findErr
		case current == nil || current.UID != replay.UID || current.Status.CompletionTime != nil:
			return nil // nobody is left who wants to know
		}
		replay = current
		return err
	})
	if err = client.IgnoreNotFound(err); err != nil {
		return status, fmt.Errorf("write the status: %w", err)
	}
	return status, nil
}

// savePace is over when saveTimeout is.
var savePace = wait.Backoff{Duration: 25 * time.Millisecond, Factor: 2, Steps: 9, Jitter: 0.1}

func mayBeSavedLater(err error) bool {
	return !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err)
}

func (r *WebhookReplayReconciler) applyStatus(ctx context.Context, replay *v1alpha1.WebhookReplay, status v1alpha1.WebhookReplayStatus) error {
	written := apply.WebhookReplayStatus().
		WithObservedGeneration(status.ObservedGeneration).
		WithMatched(status.Matched).WithReplayed(status.Replayed).WithFailed(status.Failed).
		WithConditions(conditionConfigs(status.Conditions)...)
	written.StartTime, written.CompletionTime = status.StartTime, status.CompletionTime
	if status.Cursor != "" {
		written.WithCursor(status.Cursor)
	}
	config := apply.WebhookReplay(replay.Name, replay.Namespace).
		WithResourceVersion(replay.ResourceVersion).
		WithStatus(written)
	return r.Client.Status().Apply(ctx, config, FieldOwner, client.ForceOwnership)
}

// replayStatus adds what was done to the status of a replay. It is the one place that sets conditions of a replay.
func replayStatus(replay *v1alpha1.WebhookReplay, done progress) v1alpha1.WebhookReplayStatus {
	status := *replay.Status.DeepCopy()
	status.ObservedGeneration = replay.Generation
	status.Matched += done.matched
	status.Replayed += done.replayed
	status.Failed += done.failed
	if done.cursor != (cursor{}) {
		status.Cursor = done.cursor.String()
		if status.StartTime == nil {
			status.StartTime = new(metav1.NewTime(done.at))
		}
	}
	if done.over {
		status.CompletionTime, status.Cursor = new(metav1.NewTime(done.at)), ""
	}

	complete := completeCondition(status, done.reason)
	complete.ObservedGeneration = replay.Generation
	meta.SetStatusCondition(&status.Conditions, complete)
	setWhile(!done.over && !done.stalls(), v1alpha1.ConditionReconciling, complete, &status.Conditions)
	setWhile(done.stalls(), v1alpha1.ConditionStalled, complete, &status.Conditions)
	return status
}

// setWhile sets a condition to true, with the reason of another one, or removes it.
func setWhile(holds bool, kind string, because metav1.Condition, conditions *[]metav1.Condition) {
	if !holds {
		meta.RemoveStatusCondition(conditions, kind)
		return
	}
	condition := isTrue(kind, because.Reason, because.Message)
	condition.ObservedGeneration = because.ObservedGeneration
	meta.SetStatusCondition(conditions, condition)
}

// completeCondition is true when the status has an end; else it is false, for the
// reason.
func completeCondition(status v1alpha1.WebhookReplayStatus, reason string) metav1.Condition {
	const kind = v1alpha1.ConditionComplete
	switch {
	case status.CompletionTime == nil:
		return isFalse(kind, reason, waitingFor[reason])
	case status.Failed > 0:
		return isTrue(kind, v1alpha1.ReasonReplayedPartially, fmt.Sprintf(
			"%d of %d dead letters are delivered again. The others were not: their record can't be read, or somebody else revived or removed them meanwhile.",
			status.Replayed, status.Matched))
	case status.Matched == 0:
		return isTrue(kind, v1alpha1.ReasonReplayed, "There is no dead letter that matches.")
	}
	return isTrue(kind, v1alpha1.ReasonReplayed, fmt.Sprintf("%d of %d dead letters are delivered again.", status.Replayed, status.Matched))
}

// waitingFor explains, by reason, why a replay is not complete.
var waitingFor = map[string]string{
	v1alpha1.ReasonReplaying:          "Dead letters are being handed over; the counts say how many so far.",
	v1alpha1.ReasonRedisUnavailable:   "Redis does not answer, and is asked again until it does: the manager's log has its error.",
	v1alpha1.ReasonRedisNotConfigured: "The manager doesn't know where dead letters are kept: start it with --redis-url.",
	v1alpha1.ReasonEndpointNotFound:   "There is no WebhookEndpoint of the name in endpointRef. The replay begins, or goes on, when there is.",
}
