package compile

import (
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/route"
)

// The defaults. The first six stand in the CRD too, where `kubectl explain` shows them;
// they are needed here for a spec that leaves out the whole struct.
const (
	defaultTimeout     = 10 * time.Second
	defaultMaxInFlight = 32
	defaultMaxAttempts = 12
	defaultMinBackoff  = time.Second
	defaultMaxBackoff  = time.Hour
	defaultMaxAge      = 72 * time.Hour

	defaultMaxBodyBytes = 1 << 20 // for a provider that says nothing of its bodies
)

func delivery(spec *v1alpha1.DeliverySpec) route.Delivery {
	if spec == nil {
		spec = &v1alpha1.DeliverySpec{}
	}
	retry := spec.Retry
	if retry == nil {
		retry = &v1alpha1.RetrySpec{}
	}
	return route.Delivery{
		Timeout:     durationOr(spec.Timeout, defaultTimeout),
		MaxInFlight: int(valueOr(spec.MaxInFlight, defaultMaxInFlight)),
		RateLimit:   rateLimit(spec.RateLimit),
		Sync:        spec.Mode == v1alpha1.DeliveryModeSync,
		Retry: route.Retry{
			MaxAttempts: int(valueOr(retry.MaxAttempts, defaultMaxAttempts)),
			MinBackoff:  durationOr(retry.MinBackoff, defaultMinBackoff),
			MaxBackoff:  durationOr(retry.MaxBackoff, defaultMaxBackoff),
			MaxAge:      durationOr(retry.MaxAge, defaultMaxAge),
		},
	}
}

func deduplication(spec *v1alpha1.DeduplicationSpec, sender *provider.Sender) route.Deduplication {
	if spec == nil {
		spec = &v1alpha1.DeduplicationSpec{}
	}
	return route.Deduplication{
		Window:          durationOr(spec.Window, sender.DefaultWindow()),
		RememberContent: rememberContent(spec.ReplayProtection, sender),
	}
}

// rememberContent reports whether signed content is remembered beside the event id. If
// the signature covers the id, a repeated content has the same id, so remembering the id is
// enough. It is not enough if bytes can move within the content, which then reads as another
// event; such content is the same in no two events.
func rememberContent(setting v1alpha1.ReplayProtection, sender *provider.Sender) bool {
	covered := sender.Provider.IDCovered()
	switch {
	case setting == v1alpha1.ReplayProtectionOff:
		return false
	case covered:
		return sender.Provider.Movable()
	default:
		return sender.SignedContentUnique || setting == v1alpha1.ReplayProtectionStrict
	}
}

func limits(spec *v1alpha1.LimitsSpec, sender *provider.Sender, quota Quota) route.Limits {
	if spec == nil {
		spec = &v1alpha1.LimitsSpec{}
	}
	result := route.Limits{MaxBodyBytes: maxBodyBytes(spec, sender)}
	if quota.MaxBodyBytes > 0 {
		result.MaxBodyBytes = min(result.MaxBodyBytes, quota.MaxBodyBytes)
	}
	for _, text := range spec.SourceRanges {
		// The API server admits only CIDRs. If anything else came through, it must
		// shut everybody out, never let everybody in.
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			prefix = netip.PrefixFrom(netip.IPv6Unspecified(), 128)
		}
		result.SourceRanges = append(result.SourceRanges, prefix.Masked())
	}
	result.RateLimit = rateLimit(spec.RateLimit)
	return result
}

func maxBodyBytes(spec *v1alpha1.LimitsSpec, sender *provider.Sender) int64 {
	switch {
	case spec.MaxBodyBytes != nil:
		return spec.MaxBodyBytes.Value()
	case sender.MaxBodyBytes != 0:
		return sender.MaxBodyBytes
	default:
		return defaultMaxBodyBytes
	}
}

func rateLimit(spec *v1alpha1.RateLimitSpec) *route.RateLimit {
	if spec == nil {
		return nil
	}
	return &route.RateLimit{PerSecond: int(spec.PerSecond), Burst: int(valueOr(spec.Burst, spec.PerSecond))}
}

func durationOr(d *metav1.Duration, otherwise time.Duration) route.Duration {
	if d == nil {
		return route.Duration(otherwise)
	}
	return route.Duration(d.Duration)
}

func valueOr[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
