package compile

import (
	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// checkWindow holds the rule that a request is remembered for as long as its
// signature is accepted.
func checkWindow(spec *v1alpha1.DeduplicationSpec, sender *provider.Sender) Problems {
	if spec == nil || spec.Window == nil || spec.Window.Duration >= sender.MinWindow {
		return nil
	}
	return problem(v1alpha1.ReasonInvalidDeduplication,
		"deduplication.window is %s, and a request of %s can be sent again for up to %s by its time: whoever captured it could do so; set it to at least %s.",
		spec.Window.Duration, sender.Provider.Name, sender.MinWindow, sender.MinWindow)
}
