package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"sallyport.dev/sallyport/cmd/internal/cli"
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
		"level":              {[]string{"--route-namespace=a", "--log-level=loud"}, `"loud" is no level`},
		"unknown":            {[]string{"--nonsense"}, "nonsense"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.args...)
			var usage *cli.UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want a usage error that says %q", err, test.says)
			}
		})
	}
}
