package verify

import (
	"fmt"
	"net/url"
	"strings"
)

// spell returns address in this spelling. What can't be parsed stays as it is:
// it then matches no signature.
func (f URLForm) spell(address string) string {
	switch f {
	case URLReservedDecoded:
		return reservedDecoded.Replace(address)
	case URLApostropheEscaped:
		return strings.ReplaceAll(address, "'", "%27")
	}
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
	case URLAsGiven, URLDefaultPort, URLNoPort, URLReservedDecoded, URLApostropheEscaped:
		return nil
	}
	return fmt.Errorf("is %q: it must be AsGiven, DefaultPort, NoPort, ReservedDecoded or ApostropheEscaped", f)
}

// reservedDecoded decodes the percent-escapes of the characters that HubSpot
// writes out before it signs
// (https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests);
// all others stay, that of "%" among them, so nothing is decoded twice.
var reservedDecoded = strings.NewReplacer(
	"%3A", ":", "%3a", ":", "%2F", "/", "%2f", "/", "%3F", "?", "%3f", "?", "%40", "@",
	"%21", "!", "%24", "$", "%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2a", "*",
	"%2C", ",", "%2c", ",", "%3B", ";", "%3b", ";",
)

// requestURI is the path and the query of an absolute URL, as they are written.
func requestURI(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	rest, _, _ = strings.Cut(rest, "#")
	start := strings.IndexAny(rest, "/?")
	switch {
	case start < 0:
		return "/"
	case rest[start] == '?':
		return "/" + rest[start:]
	}
	return rest[start:]
}
