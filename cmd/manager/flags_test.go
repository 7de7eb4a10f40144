package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver/store"
)

func parse(args ...string) (options, error) {
	return parseFlags(cli.Env{
		Name: "manager", Args: args, Stdout: io.Discard, Stderr: io.Discard,
		Lookup: func(string) (string, bool) { return "", false },
	})
}

func TestFlagsThatAreRight(t *testing.T) {
	o, err := parse("--route-namespace=sallyport", "--public-url=https://hooks.example.com/", "--cluster-domain=corp.example.")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := o.settings.PublicURL, "https://hooks.example.com"; got != want {
		t.Errorf("public URL %q, want %q", got, want)
	}
	if got, want := o.settings.ReceiverHost, "sallyport-receiver.sallyport.svc.corp.example"; got != want {
		t.Errorf("receiver host %q, want %q", got, want)
	}
	if o, err = parse("--route-namespace=a", "--receiver-service=b/c"); err != nil || o.settings.ReceiverHost != "c.b.svc.cluster.local" {
		t.Errorf("receiver host %q, error %v", o.settings.ReceiverHost, err)
	}
}

func TestRedisMayBeGivenOrLeftOut(t *testing.T) {
	o, err := parse("--route-namespace=a", "--redis-url=rediss://redis:6379", "--redis-ca-file=ca", "--redis-cert-file=cert", "--redis-key-file=key")
	if err != nil {
		t.Fatal(err)
	}
	if want := (store.TLSFiles{CA: "ca", Cert: "cert", Key: "key"}); o.redis.URL != "rediss://redis:6379" || o.redis.TLS != want {
		t.Errorf("the options of Redis are %+v", o.redis)
	}
	if o, err = parse("--route-namespace=a"); err != nil || o.redis.URL != "" {
		t.Errorf("the options of Redis are %+v, error %v", o.redis, err)
	}
}

func TestManagerIsNamedAfterItsPod(t *testing.T) {
	env := cli.Env{Lookup: func(name string) (string, bool) { return "manager-1", name == "POD_NAME" }}
	if got, err := identity(env); err != nil || got != "manager-1" {
		t.Errorf("the identity is %q, error %v", got, err)
	}
	env.Lookup = func(string) (string, bool) { return "", false }
	if host, _ := os.Hostname(); host != "" {
		if got, err := identity(env); err != nil || got != host {
			t.Errorf("the identity is %q, error %v, want that of the host", got, err)
		}
	}
}

func TestFlagsThatAreWrong(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"no namespace":       {nil, "--route-namespace is not set"},
		"URL without scheme": {[]string{"--route-namespace=a", "--public-url=hooks.example.com"}, "--public-url=hooks.example.com is not scheme and host"},
		"URL with a query":   {[]string{"--route-namespace=a", "--public-url=https://h/?a=b"}, "is not scheme and host"},
		"service":            {[]string{"--route-namespace=a", "--receiver-service=a/b/c"}, "--receiver-service=a/b/c is not a Service"},
		"address":            {[]string{"--route-namespace=a", "--metrics-bind-address=8080"}, "--metrics-bind-address=8080 is not an address"},
		"address of events":  {[]string{"--route-namespace=a", "--events-api-bind-address=8443"}, "--events-api-bind-address=8443 is not an address"},
		"not a Redis URL":    {[]string{"--route-namespace=a", "--redis-url=http://u:hunter2@h"}, "--redis-url must be a URL"},
		"half a Redis":       {[]string{"--route-namespace=a", "--redis-ca-file=ca"}, "--redis-url must be a URL"},
		"level":              {[]string{"--route-namespace=a", "--log-level=loud"}, `"loud" is no level`},
		"unknown":            {[]string{"--nonsense"}, "nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.args...)
			var usage *cli.UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want a usage error that says %q", err, test.says)
			}
		})
	}
}
