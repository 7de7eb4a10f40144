package egress

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
)

// ErrForbidden says that a name resolves to an address that is never dialled.
var ErrForbidden = errors.New("the name resolves to a loopback, link-local, multicast, unspecified or metadata address, which is never dialled")

// ErrNotPublic says that a sender's name resolves to an address that is not on the
// Internet.
var ErrNotPublic = errors.New("the name resolves to an address that is not a public one, which is never dialled for a sender")

// RefuseForbidden is a net.Dialer's ControlContext for hosts that may have private
// addresses. It checks the address itself, after the name was resolved, so that no answer
// of a DNS server can bypass it. The error is ErrForbidden.
func RefuseForbidden(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if forbidden(embedded(at.Addr())) {
		return ErrForbidden
	}
	return nil
}

// RefuseNotPublic is a net.Dialer's ControlContext for hosts on the Internet. Beyond
// RefuseForbidden it refuses private networks. The error is ErrForbidden or ErrNotPublic.
func RefuseNotPublic(ctx context.Context, network, address string, conn syscall.RawConn) error {
	if err := RefuseForbidden(ctx, network, address, conn); err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !public(embedded(at.Addr())) {
		return ErrNotPublic
	}
	return nil
}

func forbidden(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || metadata[ip]
}

// metadata are the metadata services of clouds that are not link-local, as
// 169.254.169.254 is: AWS by IPv6, Alibaba Cloud, Oracle Cloud, Azure.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("100.100.100.200"): true,
	netip.MustParseAddr("192.0.0.192"):     true,
	netip.MustParseAddr("168.63.129.16"):   true,
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}

// special are the networks of the registries of RFC 6890 that the Internet does not
// route, or that stand for other addresses, except for those that netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers and some clusters, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks, RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64, RFC 8215
	netip.MustParsePrefix("100::/64"),        // discarded, RFC 6666
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, which embeds any IPv4 address
	netip.MustParsePrefix("fec0::/10"),       // site-local, RFC 3879
}

// nat64 is the well-known prefix whose addresses end in an IPv4 address
// (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// embedded returns the IPv4 address that an IPv6 address stands for, else ip.
func embedded(ip netip.Addr) netip.Addr {
	if nat64.Contains(ip) {
		b := ip.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip.Unmap()
}
