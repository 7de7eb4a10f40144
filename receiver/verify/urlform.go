package verify

import (
	"fmt"
	"net/url"
	"strings"
)

// spell returns address in this spelling. What can't be parsed stays as it is:
// it then matches no signature.
func (f URLForm) spell(address string) string {
	u, err := url.Parse(address)
	if err != nil || f == URLAsGiven {
		return address
	}
	host := u.Host
	bare := strings.TrimSuffix(host, ":"+u.Port())
	if u.Port() == "" {
		bare = strings.TrimSuffix(host, ":")
	}
	wanted := bare
	if f == URLDefaultPort && u.Port() == "" {
		wanted = bare + map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	} else if f == URLDefaultPort {
		wanted = host
	}
	// Only the host is replaced: url.String would write the path anew.
	return strings.Replace(address, "//"+host, "//"+wanted, 1)
}

func (f URLForm) validate() error {
	switch f {
	case URLAsGiven, URLDefaultPort, URLNoPort:
		return nil
	}
	return fmt.Errorf("is %q: it must be AsGiven, DefaultPort or NoPort", f)
}
