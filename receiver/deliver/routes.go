package deliver

import (
	"fmt"
	"math"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// bounds are those of each target of an endpoint.
type bounds struct {
	inFlight int // attempts at a time; at least 1, or what can't be delivered would never be held
	depth    int // deliveries that a lane holds
}

// refillDepth is how much of its backlog is queued for one target: enough that its
// attempts need not wait for the log.
func (b bounds) refillDepth() int { return min(2*logShare(b.inFlight), b.depth) }

// boundsOf are the bounds by the route of an endpoint.
func (o *Options) boundsOf(endpoint string) bounds {
	r, _ := o.Routes.Route(endpoint) // of none, the zero route
	b := bounds{inFlight: max(1, r.Delivery.MaxInFlight), depth: math.MaxInt}
	if r.Delivery.RateLimit != nil {
		b.depth = rateQueue * r.Delivery.RateLimit.PerSecond
	}
	return b
}

// routeTo is the route of an endpoint, with the target that is named. reason says
// why no attempt can be made; "": it can.
func (o *Options) routeTo(id targetID, now time.Time) (r route.Route, reason string) {
	r, ok := o.Routes.Route(id.endpoint)
	if !ok {
		return r, "no route is served for the endpoint"
	}
	if r.Delivery.Paused {
		return r, "the endpoint is paused"
	}
	if r.Target, ok = r.TargetOf(id.name); !ok {
		return r, "the endpoint has no target any more that the delivery is for"
	}
	if r.Target.Unresolved != "" || !r.Target.FreshSignature {
		return r, r.Target.Unresolved
	}
	if err := o.Routes.Signer(id.endpoint).CanResign(now); err != nil {
		return r, fmt.Sprintf("nothing can be signed anew: %v", err)
	}
	return r, ""
}
