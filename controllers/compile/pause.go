package compile

import (
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// pause sets whether the endpoint is paused, and when its last pause ended. Only the
// published route remembers that time, as it remembers previous secrets.
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
