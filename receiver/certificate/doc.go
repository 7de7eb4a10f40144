// Package certificate keeps the certificates that senders name in their
// requests, so that most requests wait for none.
//
// It assumes that a URL was checked against the sender's hosts before it comes
// here, and that a sender who changes its certificate changes the URL. It
// promises that the many requests that need one certificate fetch it once, that
// one that can't be fetched is not asked for again at once, and that URLs that
// somebody makes up take a bounded amount of memory and connections. Whether a
// certificate is to be trusted is for package verify to judge.
package certificate
