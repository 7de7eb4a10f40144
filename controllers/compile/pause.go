package compile

import (
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// pause notes in d whether the endpoint is paused, and when it was last. As with
// previous secrets, the published route is the only memory of that.
func pause(d *route.Delivery, in Input) {
	d.Paused = in.Endpoint.Spec.Paused
	before := in.Published
	if before == nil || before.Endpoint.UID != string(in.Endpoint.UID) {
		return
	}
	d.ResumedTime = before.Delivery.ResumedTime
	if before.Delivery.Paused && !d.Paused {
		d.ResumedTime = in.Now.UTC().Truncate(time.Second)
	}
}
