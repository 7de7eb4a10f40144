package store

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport.dev/sallyport/test/pki"
	"sallyport.dev/sallyport/test/redistest"
)

func TestTLS(t *testing.T) {
	ca := pki.NewCA(t)
	_, addr := redistest.StartTLS(t, ca, "127.0.0.1", false)
	clock := newFakeClock()
	life(t, openWith(t, Options{URL: "rediss://" + addr, TLS: TLSFiles{CA: ca.File}, Clock: clock.Now}), clock)
}

func TestTLSWithClientCertificates(t *testing.T) {
	ca := pki.NewCA(t)
	_, addr := redistest.StartTLS(t, ca, "127.0.0.1", true)
	files := TLSFiles{CA: ca.File}
	if err := openWith(t, Options{URL: "rediss://" + addr, TLS: files}).Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("without a client certificate: got %v, want ErrUnavailable", err)
	}
	files.Cert, files.Key = ca.Issue("sallyport")
	clock := newFakeClock()
	life(t, openWith(t, Options{URL: "rediss://" + addr, TLS: files, Clock: clock.Now}), clock)
}

func TestAServerThatCannotBeTrustedIsRefused(t *testing.T) {
	ca := pki.NewCA(t)
	_, here := redistest.StartTLS(t, ca, "127.0.0.1", false)
	_, named := redistest.StartTLS(t, ca, "redis.example", false)
	for name, test := range map[string]struct {
		url, ca, says string
	}{
		"another CA":      {"rediss://" + here, pki.NewCA(t).File, "give the file of its CA"},
		"the system's CA": {"rediss://" + here, "", "give the file of its CA"},
		"another name":    {"rediss://" + named, ca.File, "server_name=NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openWith(t, Options{URL: test.url, TLS: TLSFiles{CA: test.ca}})
			if err := s.Ping(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Ping: got %v, want ErrUnavailable that says %q", err, test.says)
			}
			wantUnavailable(t, s, "1")
		})
	}
	must(t, openWith(t, Options{URL: "rediss://" + named + "?server_name=redis.example", TLS: TLSFiles{CA: ca.File}}).Ping(t.Context()))
}

func TestOpenRefusesFilesThatCannotBeUsed(t *testing.T) {
	ca := pki.NewCA(t)
	cert, key := ca.Issue("sallyport")
	noPEM := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(noPEM, []byte("no PEM"), 0o600))
	for name, test := range map[string]struct {
		url   string
		files TLSFiles
		says  string
	}{
		"without TLS":      {"redis://127.0.0.1", TLSFiles{CA: ca.File}, "rediss://"},
		"a missing CA":     {"rediss://127.0.0.1", TLSFiles{CA: "/nonexistent"}, "/nonexistent"},
		"a CA of nothing":  {"rediss://127.0.0.1", TLSFiles{CA: noPEM}, "no certificate"},
		"no key":           {"rediss://127.0.0.1", TLSFiles{Cert: cert}, "its key"},
		"no certificate":   {"rediss://127.0.0.1", TLSFiles{Key: key}, "its key"},
		"mixed-up clients": {"rediss://127.0.0.1", TLSFiles{Cert: key, Key: cert}, "client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(t.Context(), Options{URL: test.url, TLS: test.files}); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that says %q", err, test.says)
			}
		})
	}
}

// With Sentinels and in a Cluster most servers have other names than the URL.
func TestEachServerIsCheckedByItsOwnName(t *testing.T) {
	for text, want := range map[string]string{
		"rediss://a:1":                                  "",
		"rediss://a:1?cluster=true&addr=b:2":            "",
		"rediss://a:1?master_name=m&addr=b:2":           "",
		"rediss://a:1?server_name=c":                    "c",
		"rediss://a:1?cluster=true&server_name=c":       "c",
		"rediss://a:1?master_name=m&server_name=c&db=1": "c",
	} {
		u, err := url.Parse(text)
		must(t, err)
		o, err := universalOptions(u)
		must(t, err)
		if o.TLSConfig == nil || o.TLSConfig.ServerName != want || o.TLSConfig.InsecureSkipVerify {
			t.Errorf("%s: TLS is %+v, want the name %q", text, o.TLSConfig, want)
		}
	}
}

func TestUsersInURLs(t *testing.T) {
	for text, want := range map[string][4]string{
		"redis://u:p%40ss@a:1/0":                                     {"u", "p@ss", "", ""},
		"redis://u:p%40ss@a:1?cluster=true":                          {"u", "p@ss", "", ""},
		"redis://u:p%40ss@a:1?master_name=m":                         {"", "", "u", "p@ss"},
		"redis://a:1?master_name=m&addr=b:2":                         {"", "", "", ""},
		"unix://u:p%40ss@/run/redis.sock?db=1":                       {"u", "p@ss", "", ""},
		"redis://su:sp@a:1?master_name=m&username=u&password=p%40ss": {"u", "p@ss", "su", "sp"},
	} {
		u, err := url.Parse(text)
		must(t, err)
		o, err := universalOptions(u)
		must(t, err)
		if got := [4]string{o.Username, o.Password, o.SentinelUsername, o.SentinelPassword}; got != want {
			t.Errorf("%s: the users are %q, want %q", text, got, want)
		}
	}
}
