package egress

import (
	"errors"
	"testing"
)

func TestForbiddenAddresses(t *testing.T) {
	for address, want := range map[string]error{
		"10.96.0.10:80":                nil,
		"192.168.1.1:8080":             nil,
		"[fd00::1]:80":                 nil,
		"127.0.0.1:80":                 ErrForbidden,
		"127.9.9.9:80":                 ErrForbidden,
		"0.0.0.0:80":                   ErrForbidden,
		"169.254.169.254:80":           ErrForbidden,
		"100.100.100.200:80":           ErrForbidden,
		"168.63.129.16:80":             ErrForbidden,
		"224.0.0.1:80":                 ErrForbidden,
		"[::1]:80":                     ErrForbidden,
		"[::]:80":                      ErrForbidden,
		"[::ffff:127.0.0.1]:80":        ErrForbidden,
		"[fe80::1%eth0]:80":            ErrForbidden,
		"[ff02::1]:80":                 ErrForbidden,
		"[fd00:ec2::254]:80":           ErrForbidden,
		"[64:ff9b::169.254.169.254]:1": ErrForbidden,
		"[64:ff9b::10.0.0.1]:1":        nil,
	} {
		if got := RefuseForbidden(t.Context(), "tcp", address, nil); !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

func TestOnlyPublicAddressesAreDialledForSenders(t *testing.T) {
	for address, want := range map[string]error{
		"52.94.236.248:443":            nil,
		"[2600:1f18::1]:443":           nil,
		"[64:ff9b::52.94.236.248]:1":   nil,
		"[::ffff:52.94.236.248]:443":   nil,
		"127.0.0.1:443":                ErrForbidden,
		"[::1]:443":                    ErrForbidden,
		"169.254.169.254:443":          ErrForbidden,
		"[fe80::1]:443":                ErrForbidden,
		"0.0.0.0:443":                  ErrForbidden,
		"224.0.0.1:443":                ErrForbidden,
		"[fd00:ec2::254]:443":          ErrForbidden,
		"[64:ff9b::169.254.169.254]:1": ErrForbidden,
		"10.0.0.1:443":                 ErrNotPublic,
		"172.16.0.1:443":               ErrNotPublic,
		"192.168.1.1:443":              ErrNotPublic,
		"100.64.0.1:443":               ErrNotPublic,
		"0.1.2.3:443":                  ErrNotPublic,
		"198.18.0.1:443":               ErrNotPublic,
		"255.255.255.255:443":          ErrNotPublic,
		"[fd00::1]:443":                ErrNotPublic,
		"[fec0::1]:443":                ErrNotPublic,
		"[2001:db8::1]:443":            ErrNotPublic,
		"[2002:a00:1::]:443":           ErrNotPublic,
		"[64:ff9b::10.0.0.1]:443":      ErrNotPublic,
		"[64:ff9b:1::10.0.0.1]:443":    ErrNotPublic,
		"[::ffff:10.0.0.1]:443":        ErrNotPublic,
	} {
		if got := RefuseNotPublic(t.Context(), "tcp", address, nil); !errors.Is(got, want) {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}
