package cli

import (
	"net/url"

	"sallyport.dev/sallyport/receiver/store"
)

// Redis defines the flags that say where Redis is, and by which password and
// certificates it is reached; usage says what it is needed for. Whether the files make sense together
// is up to the store.
func (f *Flags) Redis(address, passwordFile *string, files *store.TLSFiles, usage string) {
	f.StringVar(address, "redis-url", "", "`URL` of the Redis that keeps events: redis://, rediss:// or unix://"+usage)
	f.StringVar(passwordFile, "redis-password-file", "", "`file` that holds the password of Redis instead of the URL; it is read for each connection")
	f.StringVar(&files.CA, "redis-ca-file", "", "PEM `file` of the CA that signed the certificate of Redis; by default the system's CAs")
	f.StringVar(&files.Cert, "redis-cert-file", "", "PEM `file` of the certificate to show to Redis")
	f.StringVar(&files.Key, "redis-key-file", "", "PEM `file` of the key of --redis-cert-file")
}

// CheckRedisURL returns a *UsageError for what can't be a URL of Redis. It says
// nothing about why not: an error of net/url would quote the URL, password
// included.
func CheckRedisURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix") {
		return Usagef("--redis-url must be a URL that begins with redis://, rediss:// or unix://, for example redis://sallyport-redis:6379/0")
	}
	return nil
}
