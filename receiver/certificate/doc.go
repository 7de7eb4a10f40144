// Package certificate caches the certificates that senders name in their requests, so
// that most requests wait for none.
//
//	cache.go   the certificate of a URL, from the cache or from the sender
//	chain.go   the document, and the issuers that it lacks
//	slots.go   bounds the concurrent fetches, all together and of each endpoint
//
// It assumes that the caller has checked a URL against the sender's hosts and paths, and
// that a sender who changes its certificate changes the URL. It promises that requests
// that need the same certificate share one fetch; that a known certificate is used while
// it is fetched anew; that a failed fetch is not repeated at once; and that made-up URLs
// take a bounded amount of memory and connections, and only of the endpoint that they
// are sent to. Issuers are fetched only where the provider allows it, and must have
// signed the certificate that names them. Package verify judges whether a certificate is
// trusted.
package certificate
