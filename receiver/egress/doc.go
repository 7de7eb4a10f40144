// Package egress guards what a receiver connects to.
//
//	address.go  which addresses are never dialled, whatever DNS says
//	client.go   requests to senders on the Internet, bounded in every way
//
// It assumes that the caller has checked host and path of a URL against what the
// endpoint's provider allows. It promises that neither a name nor a redirect
// leads a request to the pod itself, its node, a cloud's metadata service or,
// for senders, into the cluster; and that no error text repeats a URL, which may
// hold a token.
package egress
