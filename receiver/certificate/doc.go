// Package certificate keeps the certificates that senders name in their
// requests, so that most requests wait for none.
//
//	cache.go   what is known of a URL, and who fetches what isn't
//	chain.go   the document, and the issuers that it lacks
//	shelf.go   a bounded number of what is known
//	slots.go   a bounded number of fetches, all in all and of each endpoint
//
// It assumes that a URL was checked against the sender's hosts and paths before it
// comes here, and that a sender who changes its certificate changes the URL. It
// promises that the many requests that need one certificate fetch it once; that one
// that is known is served while it is fetched anew, whatever else is asked for; that
// one that can't be fetched is not asked for again at once; and that URLs that
// somebody makes up take a bounded amount of memory and connections, and only of the
// endpoint that they are sent to. Issuers are fetched only where the provider says,
// and nothing is taken for one but what signed the certificate that names it.
// Whether a certificate is to be trusted is for package verify to judge.
package certificate
