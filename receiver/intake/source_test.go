package intake

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func mustProxies(tb testing.TB, networks ...string) TrustedProxies {
	tb.Helper()
	proxies, err := ParseTrustedProxies(networks)
	if err != nil {
		tb.Fatal(err)
	}
	return proxies
}

func TestClientOf(t *testing.T) {
	proxies := mustProxies(t, "10.0.0.0/8", "2001:db8::/32", "192.0.2.1")
	for name, test := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"a direct client":                 {"203.0.113.7:1234", nil, "203.0.113.7"},
		"a direct client's word":          {"203.0.113.7:1234", []string{"1.1.1.1"}, "203.0.113.7"},
		"a proxy":                         {"10.0.0.1:1234", []string{"203.0.113.7"}, "203.0.113.7"},
		"a proxy, silent":                 {"10.0.0.1:1234", nil, "10.0.0.1"},
		"a proxy, empty":                  {"10.0.0.1:1234", []string{""}, "10.0.0.1"},
		"a single proxy address":          {"192.0.2.1:1", []string{"203.0.113.7"}, "203.0.113.7"},
		"two proxies":                     {"10.0.0.1:1234", []string{"203.0.113.7, 10.9.9.9"}, "203.0.113.7"},
		"what the client made up":         {"10.0.0.1:1234", []string{"1.1.1.1, 203.0.113.7"}, "203.0.113.7"},
		"made up, in another field":       {"10.0.0.1:1234", []string{"1.1.1.1", "203.0.113.7"}, "203.0.113.7"},
		"made up: a trusted address":      {"10.0.0.1:1234", []string{"10.1.1.1, 203.0.113.7"}, "203.0.113.7"},
		"only proxies":                    {"10.0.0.1:1234", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		"with a port":                     {"10.0.0.1:1234", []string{"203.0.113.7:55"}, "203.0.113.7"},
		"IPv6":                            {"[2001:db8::1]:1", []string{"2a00::7"}, "2a00::7"},
		"IPv6 in brackets, with a port":   {"[2001:db8::1]:1", []string{"[2a00::7]:55"}, "2a00::7"},
		"IPv6 in brackets":                {"[2001:db8::1]:1", []string{"[2a00::7]"}, "2a00::7"},
		"IPv4 in IPv6":                    {"[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"not an address":                  {"10.0.0.1:1234", []string{"203.0.113.7, unknown"}, "10.0.0.1"},
		"not an address, behind a proxy":  {"10.0.0.1:1234", []string{"203.0.113.7, unknown, 10.2.2.2"}, "10.2.2.2"},
		"no address at all":               {"@", []string{"203.0.113.7"}, ""},
		"more hops than anybody looks at": {"10.0.0.1:1234", []string{"203.0.113.7" + strings.Repeat(", 10.0.0.2", maxHops+1)}, "10.0.0.2"},
		"a zone":                          {"[fe80::1%eth0]:1", nil, "fe80::1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := addrText(proxies.clientOf(test.remote, http.Header{"X-Forwarded-For": test.forwarded})); got != test.want {
				t.Errorf("the client is %q, want %q", got, test.want)
			}
		})
	}
}

// TestTrustedNetworksInIPv6Form: a network of IPv4 addresses is one, in either form.
func TestTrustedNetworksInIPv6Form(t *testing.T) {
	proxies := mustProxies(t, "::ffff:10.0.0.0/104", "::ffff:192.0.2.1")
	for _, remote := range []string{"10.1.2.3:1", "[::ffff:10.1.2.3]:1", "192.0.2.1:1"} {
		if got := proxies.clientOf(remote, http.Header{"X-Forwarded-For": {"203.0.113.7"}}); addrText(got) != "203.0.113.7" {
			t.Errorf("behind %s: %s", remote, got)
		}
	}
	if _, err := ParseTrustedProxies([]string{"::ffff:0:0/95"}); err == nil || !strings.Contains(err.Error(), "write the IPv4 network") {
		t.Errorf("a network of both: %v", err)
	}
}

func TestParseTrustedProxiesRefusesWhatIsNoNetwork(t *testing.T) {
	for _, text := range []string{"", "10.0.0.0/33", "example.com", "10.0.0.0/8/8"} {
		if _, err := ParseTrustedProxies([]string{text}); err == nil || !strings.Contains(err.Error(), "CIDR") {
			t.Errorf("%q gives %v", text, err)
		}
	}
}

func TestAdmits(t *testing.T) {
	ranges := []netip.Prefix{netip.MustParsePrefix("192.30.252.0/22"), netip.MustParsePrefix("2001:db8::/32")}
	for text, want := range map[string]bool{"192.30.255.255": true, "192.31.0.0": false, "2001:db8::1": true, "2001:db9::1": false} {
		if got := admits(ranges, netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is admitted: %v", text, got)
		}
	}
	if admits(ranges, netip.Addr{}) || !admits(nil, netip.Addr{}) {
		t.Error("an unknown address is admitted only where everybody is")
	}
}

// Whatever a sender writes, an untrusted connection is taken by its own
// address, and a trusted one gives a valid address.
func FuzzClientOf(f *testing.F) {
	f.Add("10.0.0.1:1", "203.0.113.7, 10.0.0.2")
	f.Add("203.0.113.7:1", "1.1.1.1")
	f.Add("[::1]:1", "[::]:,,,%%")
	proxies := mustProxies(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		got := proxies.clientOf(remote, http.Header{"X-Forwarded-For": {forwarded}})
		direct := parseHop(remote)
		if !proxies.contains(direct) && got != direct {
			t.Errorf("a stranger at %q is taken for %v", remote, got)
		}
		if proxies.contains(direct) && !got.IsValid() {
			t.Errorf("%q makes the client of a proxy invalid", forwarded)
		}
	})
}
