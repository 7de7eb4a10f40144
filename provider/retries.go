package provider

import (
	"errors"
	"fmt"

	"sallyport.dev/sallyport/api/v1alpha1"
)

// checkRetries holds what is known of the sender's retries against what is judged:
// a genuine retry must be neither refused as too old nor taken for a new event.
func checkRetries(spec *v1alpha1.WebhookProviderSpec, s *Sender) error {
	var errs []error
	if window := s.DefaultWindow(); window < s.MinWindow {
		errs = append(errs, fmt.Errorf("deduplication.window is %s: it must be at least %s, twice the longest timestamp.tolerance, "+
			"or a captured request could be sent again", window, s.MinWindow))
	}
	if spec.Facts == nil || spec.Facts.Retries == nil || spec.Facts.Retries.Within == nil {
		return errors.Join(errs...)
	}
	retries := spec.Facts.Retries
	within := retries.Within.Duration
	if s.DefaultWindow() < within {
		errs = append(errs, fmt.Errorf("deduplication.window is %s, and by facts.retries an event is repeated for %s: a late retry would be a new event",
			s.DefaultWindow(), within))
	}
	if retries.Signature != "Kept" && retries.Signature != "Unknown" {
		return errors.Join(errs...)
	}
	for i := range spec.Verify {
		scheme := &spec.Verify[i]
		if t := scheme.Timestamp; t != nil && t.Tolerance != nil && t.Tolerance.Duration < within {
			errs = append(errs, fmt.Errorf("verify[%d].timestamp.tolerance is %s, and by facts.retries an event is repeated for %s, perhaps with its first signature: "+
				"a late retry would be refused", i, t.Tolerance.Duration, within))
		}
	}
	return errors.Join(errs...)
}
