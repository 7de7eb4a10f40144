package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/store"
)

// options are the flags, checked.
type options struct {
	settings         compile.Settings
	className        string
	namespaces       []string // empty: all
	quota            compile.Quota
	routeNamespace   string
	redis            store.Options // without a URL: there is no Redis to work with
	leaderElect      bool
	metricsAddress   string
	healthAddress    string
	eventsAPIAddress string
	kubeconfig       string
	logLevel         *slog.LevelVar
}

func parseFlags(env cli.Env) (options, error) {
	var o options
	var publicURL, receiverService, clusterDomain string
	flags := cli.NewFlags(env, "turns WebhookEndpoints into the routes that receivers serve.")
	flags.StringVar(&publicURL, "public-url", "", "`URL` under which providers reach the receivers, for example https://hooks.example.com")
	flags.StringVar(&receiverService, "receiver-service", "sallyport-receiver", "the receivers' Service: a `name` in the route namespace, or namespace/name")
	flags.StringVar(&clusterDomain, "cluster-domain", "cluster.local", "DNS `domain` of the cluster")
	flags.BoolVar(&o.settings.AllowExternalName, "allow-external-name-targets", false, "let endpoints target Services of type ExternalName, which may lead out of the cluster")
	flags.StringVar(&o.className, "class-name", "", "spec.className of the endpoints to serve, in a cluster with several Sallyports; by default those without one")
	flags.List("namespaces", "`namespaces` whose endpoints are served; repeatable; by default all", func(namespace string) error {
		o.namespaces = append(o.namespaces, namespace)
		return nil
	})
	quotaFlags(flags, &o.quota)
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "work only while holding the manager's Lease, so that several managers can stand by")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "`address` of the metrics; 0 turns them off")
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "`address` of /healthz and /readyz; 0 turns them off")
	flags.StringVar(&o.eventsAPIAddress, "events-api-bind-address", ":8443", "`address` of the events API, for the API server only; 0 turns it off")
	flags.Redis(&o.redis.URL, &o.redis.PasswordFile, &o.redis.TLS, "; without it, dead letters can't be replayed, and there is no events API")
	flags.RouteNamespace(&o.routeNamespace)
	flags.Kubeconfig(&o.kubeconfig)
	o.logLevel = flags.LogLevel()
	if err := flags.Read(); err != nil {
		return o, err
	}
	if err := o.check(); err != nil {
		return o, err
	}
	var err error
	if o.settings.PublicURL, err = publicBase(publicURL); err != nil {
		return o, err
	}
	o.settings.ReceiverHost, err = serviceHost(receiverService, o.routeNamespace, clusterDomain)
	return o, err
}

// check finds what can't be right, whatever the cluster is like.
func (o *options) check() error {
	switch {
	case o.routeNamespace == "":
		return cli.Usagef("--route-namespace is not set and this is not a pod: name the namespace in which the receivers read their routes")
	case o.quota.MaxEndpoints < 0:
		return cli.Usagef("--max-endpoints-per-namespace=%d must not be negative; 0 means any number", o.quota.MaxEndpoints)
	}
	return errors.Join(
		checkRedis(o.redis),
		checkAddress("metrics-bind-address", o.metricsAddress),
		checkAddress("health-probe-bind-address", o.healthAddress),
		checkAddress("events-api-bind-address", o.eventsAPIAddress),
	)
}

// quotaFlags define what holds in namespaces without annotations.
func quotaFlags(flags *cli.Flags, quota *compile.Quota) {
	flags.IntVar(&quota.MaxEndpoints, "max-endpoints-per-namespace", 0, "`number` of endpoints that are served in a namespace without the annotation "+v1alpha1.AnnotationMaxEndpoints+"; 0: any")
	flags.Bytes(&quota.MaxBodyBytes, "max-body-bytes", "`size` of the largest body, for example 5Mi, in a namespace without the annotation "+v1alpha1.AnnotationMaxBodyBytes+"; by default what the API allows")
}

// checkRedis lets Redis be left out, as a whole.
func checkRedis(o store.Options) error {
	if o.URL == "" && o.TLS == (store.TLSFiles{}) {
		return nil
	}
	return cli.CheckRedisURL(o.URL)
}

// publicBase drops the slash at the end, because paths begin with one.
func publicBase(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", cli.Usagef("--public-url=%s is not scheme and host: write for example https://hooks.example.com", text)
	}
	return strings.TrimSuffix(text, "/"), nil
}

// serviceHost is the full DNS name of a Service.
func serviceHost(service, namespace, domain string) (string, error) {
	name := service
	if before, after, ok := strings.Cut(service, "/"); ok {
		namespace, name = before, after
	}
	if name == "" || namespace == "" || strings.Contains(name, "/") {
		return "", cli.Usagef("--receiver-service=%s is not a Service: write name, or namespace/name", service)
	}
	return fmt.Sprintf("%s.%s.svc.%s", name, namespace, strings.Trim(domain, ".")), nil
}

// turnedOff stands in the place of the address of a server that is not wanted.
const turnedOff = "0"

func checkAddress(flag, address string) error {
	if address == turnedOff {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return cli.Usagef("--%s=%s is not an address: write host:port or :port, or 0 to turn it off", flag, address)
	}
	return nil
}
