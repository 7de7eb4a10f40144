// Package egress guards the connections to names that users and senders choose.
//
//	address.go  which addresses are never dialled, whatever DNS says
//	client.go   requests to senders, bounded in every way by a Policy
//
// It assumes that the caller has checked host and path of a URL against what the
// endpoint's provider allows. It promises that neither a name nor a redirect leads a
// request to the pod itself, its node, a cloud's metadata service or, with
// RefuseNotPublic, into the cluster; and that no error text repeats a URL, which may
// hold a token.
package egress
