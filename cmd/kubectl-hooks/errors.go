package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/api/v1alpha1"
)

// explain says what to do about errors of the API server that don't say it.
func explain(err error) error {
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case clientcmd.IsEmptyConfig(err):
		return errors.New("there is no cluster to talk to: name a kubeconfig by --kubeconfig or KUBECONFIG")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the API server did not answer in time: try again, or give it longer with --request-timeout: %w", err)
	case meta.IsNoMatchError(err) || isMissingAPI(err):
		return missingAPI(err)
	case errors.As(err, &status):
		return explainStatus(err, status.Status())
	}
	if reached, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the API server can't be reached: does the kubeconfig's context name the right cluster? %w", reached.Err)
	}
	return err
}

// explainStatus explains a Status of the API server, or of one behind it.
func explainStatus(err error, status metav1.Status) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: ask whoever administers the cluster for that right (docs/kubectl-hooks.md lists those that each command needs)", err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the API server does not know who you are: log in again: %w", err)
	case apierrors.IsServiceUnavailable(err) && groupOf(status) == eventsv1alpha1.SchemeGroupVersion.Group && fromProxy(status):
		return errors.New("the events API does not answer: is the manager running? kubectl get apiservice " +
			eventsv1alpha1.SchemeGroupVersion.Version + "." + eventsv1alpha1.SchemeGroupVersion.Group + " says why")
	}
	return err
}

// isMissingAPI reports whether an error says that the API server doesn't serve a
// resource at all, not that it lacks an object: such an answer is no Status.
func isMissingAPI(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && fromProxy(status.Status())
}

// isFinal reports whether an error of the server stays, so that there is no use in
// asking again.
func isFinal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || isMissingAPI(err)
}

// fromProxy reports whether the answer was no Status: the API that was asked for
// did not answer itself.
func fromProxy(status metav1.Status) bool {
	if status.Details == nil {
		return false
	}
	for _, cause := range status.Details.Causes {
		if cause.Type == metav1.CauseTypeUnexpectedServerResponse {
			return true
		}
	}
	return false
}

func groupOf(status metav1.Status) string {
	if status.Details == nil {
		return ""
	}
	return status.Details.Group
}

func missingAPI(err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		switch groupOf(status.Status()) {
		case eventsv1alpha1.SchemeGroupVersion.Group:
			return errors.New("the events API is not installed in this cluster: kubectl apply -k config/default has it, and docs/events-api.md explains it")
		case v1alpha1.SchemeGroupVersion.Group:
			return errors.New("there is no Sallyport in this cluster: kubectl apply -k config/default installs it")
		}
	}
	return err
}
