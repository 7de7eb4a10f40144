package cluster

import (
	"context"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// AwaitRight waits until the API server knows that somebody may do something: its
// authorizer follows roles and bindings, a moment after they were written.
func AwaitRight(ctx context.Context, asking client.Client, user string, groups []string, may authorizationv1.ResourceAttributes) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		review := &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: user, Groups: groups, ResourceAttributes: &may},
		}
		if err := asking.Create(ctx, review); err != nil {
			return fmt.Errorf("ask what %s may do: %w", user, err)
		}
		if review.Status.Allowed {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s may not %s %s in %s: %w", user, may.Verb, may.Resource, may.Namespace, ctx.Err())
		}
	}
}
