// Package cli is what Sallyport's programs have in common: how they start, read
// their flags, log, and find the API server.
//
//	main.go    signals in, exit code out
//	flags.go   flags, each also from the environment
//	log.go     operational logs: JSON lines on stderr
//	kube.go    the API server's address, and the namespace we run in
//	redis.go   the address of Redis, password and certificates
//
// It assumes that standard output belongs to the program. It promises that a
// mistake in the configuration ends the program at once with exit code 2 and a
// sentence that names the flag or the variable, and that no value of a flag
// that may hold a password is printed.
package cli
