package intake

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds the addresses of X-Forwarded-For that are read.
const maxHops = 32

// TrustedProxies are the networks of the proxies in front. X-Forwarded-For counts only
// in requests from them.
type TrustedProxies []netip.Prefix

// ParseTrustedProxies reads networks in CIDR notation. A single address stands
// for itself.
func ParseTrustedProxies(texts []string) (TrustedProxies, error) {
	var proxies TrustedProxies
	for _, text := range texts {
		if addr, err := netip.ParseAddr(text); err == nil {
			addr = addr.Unmap()
			proxies = append(proxies, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network: write it in CIDR notation, for example 10.0.0.0/8", text)
		}
		if prefix, err = unmapped(prefix); err != nil {
			return nil, err
		}
		proxies = append(proxies, prefix.Masked())
	}
	return proxies, nil
}

// unmapped turns a network of IPv4 addresses in IPv6 form into one of IPv4 addresses,
// the form of the addresses of connections. It refuses a network that also has other
// addresses.
func unmapped(prefix netip.Prefix) (netip.Prefix, error) {
	const mappedBits = 96 // of ::ffff:0:0/96, RFC 4291 §2.5.5.2
	switch {
	case !prefix.Addr().Is4In6():
		return prefix, nil
	case prefix.Bits() < mappedBits:
		return prefix, fmt.Errorf("%q holds more than IPv4 addresses in IPv6 form: write the IPv4 network, for example 10.0.0.0/8", prefix)
	}
	return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mappedBits), nil
}

// clientOf returns the address of the sender: that of the connection, or, if
// that is a trusted proxy, the rightmost address in X-Forwarded-For that is not
// one. What stands further left was written by the sender and proves nothing.
// The result is the zero Addr if the connection has no IP address.
func (p TrustedProxies) clientOf(remote string, header http.Header) netip.Addr {
	client := parseHop(remote)
	if !p.contains(client) {
		return client
	}
	rest := strings.Join(header.Values("X-Forwarded-For"), ",")
	for range maxHops {
		if rest == "" {
			return client
		}
		hop := rest
		if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
			rest, hop = rest[:comma], rest[comma+1:]
		} else {
			rest = ""
		}
		addr := parseHop(strings.TrimSpace(hop))
		if !addr.IsValid() {
			return client // no trusted proxy wrote this
		}
		client = addr
		if !p.contains(client) {
			return client
		}
	}
	return client
}

func (p TrustedProxies) contains(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port. An IPv4 address in IPv6
// form is the IPv4 address; zones don't count.
func parseHop(text string) netip.Addr {
	if hop, err := netip.ParseAddrPort(text); err == nil {
		return hop.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// addrText is empty for the zero Addr.
func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
