package compile

import (
	"cmp"
	"slices"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
)

const (
	defaultGrace = 24 * time.Hour
	// maxPrevious bounds how many previous secrets stay valid after many edits:
	// each is tried with each signature of a request.
	maxPrevious = 4
)

// routeKeys are the keys of the route, newest first: the secrets that are valid
// now, and those that were until lately.
func routeKeys(in Input, sender *provider.Sender, s secrets) []route.Key {
	var keys []route.Key
	for _, value := range s.current {
		keys = append(keys, route.Key{Value: value})
	}
	if !s.revoked {
		keys = append(keys, previousKeys(in, sender, s)...)
	}
	for i := range keys {
		keys[i].Name = route.KeyName(i)
	}
	return keys
}

// previousKeys are the keys of the published route that the Secret doesn't hold
// any more, until their grace is over. The published route is the only memory
// of them. It also has the time when they were replaced, so that each compilation
// comes to the same end.
func previousKeys(in Input, sender *provider.Sender, s secrets) []route.Key {
	if !remembers(in, sender) {
		return nil
	}
	var previous []route.Key
	for _, key := range in.Published.Keys {
		since := in.Now.UTC().Truncate(time.Second) // the status and the receivers count in seconds
		if key.ReplacedTime != nil {
			since = key.ReplacedTime.UTC()
		}
		end := since.Add(grace(in.Endpoint.Spec.SecretRotation))
		if !in.Now.Before(end) || s.holds(key.Value) || sender.CheckKey(key.Value) != nil {
			continue
		}
		previous = append(previous, route.Key{NotAfter: &end, ReplacedTime: &since, Value: key.Value})
	}
	slices.SortStableFunc(previous, func(a, b route.Key) int { return cmp.Compare(b.ReplacedTime.Unix(), a.ReplacedTime.Unix()) })
	return previous[:min(len(previous), maxPrevious)]
}

// remembers reports whether the published route belongs to this very endpoint and to
// the sender that it has now: a secret of another sender is not valid for this one.
func remembers(in Input, sender *provider.Sender) bool {
	before := in.Published
	if before == nil || before.Endpoint.UID != string(in.Endpoint.UID) {
		return false
	}
	return !sender.Known() || before.Provider.Name == "" || before.Provider.Name == sender.Provider.Name
}

// grace is how long a previous secret stays valid, in whole seconds.
func grace(spec *v1alpha1.SecretRotationSpec) time.Duration {
	if spec == nil || spec.Grace == nil {
		return defaultGrace
	}
	return (spec.Grace.Duration + time.Second - 1).Truncate(time.Second)
}

// rotation is the change that replaced the newest of the previous keys; nil: there is no
// previous key.
func rotation(keys []route.Key) *Rotation {
	for _, key := range keys {
		if key.NotAfter != nil {
			return &Rotation{Started: *key.ReplacedTime, PreviousEnds: *key.NotAfter}
		}
	}
	return nil
}

// firstEnd is when the first of the keys stops being valid; zero: none does.
func firstEnd(keys []route.Key) (first time.Time) {
	for _, key := range keys {
		if key.NotAfter != nil && (first.IsZero() || key.NotAfter.Before(first)) {
			first = *key.NotAfter
		}
	}
	return first
}
