package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

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
	flags := cli.NewFlags(env, "turns WebhookEndpoints into the routes that receivers serve.")
	publicURL := flags.String("public-url", "", "`URL` under which providers reach the receivers, for example https://hooks.example.com")
	receiverService := flags.String("receiver-service", "sallyport-receiver", "the receivers' Service: a `name` in the route namespace, or namespace/name")
	clusterDomain := flags.String("cluster-domain", "cluster.local", "DNS `domain` of the cluster")
	allowExternalName := flags.Bool("allow-external-name-targets", false, "let endpoints target Services of type ExternalName, which may lead out of the cluster")
	className := flags.String("class-name", "", "spec.className of the endpoints to serve, in a cluster with several Sallyports; by default those without one")
	var namespaces []string
	flags.List("namespaces", "`namespaces` whose endpoints are served; repeatable; by default all", func(namespace string) error {
		namespaces = append(namespaces, namespace)
		return nil
	})
	quota := quotaFlags(flags)
	leaderElect := flags.Bool("leader-elect", false, "work only while holding the manager's Lease, so that several managers can stand by")
	metricsAddress := flags.String("metrics-bind-address", ":8080", "`address` of the metrics; 0 turns them off")
	healthAddress := flags.String("health-probe-bind-address", ":8081", "`address` of /healthz and /readyz; 0 turns them off")
	eventsAPIAddress := flags.String("events-api-bind-address", ":8443", "`address` of the events API, for the API server only; 0 turns it off")
	var redis store.Options
	flags.Redis(&redis.URL, &redis.PasswordFile, &redis.TLS, "; without it, dead letters can't be replayed, and there is no events API")
	routeNamespace, kubeconfig, logLevel := flags.RouteNamespace(), flags.Kubeconfig(), flags.LogLevel()
	if err := flags.Read(); err != nil {
		return options{}, err
	}

	if *routeNamespace == "" {
		return options{}, cli.Usagef("--route-namespace is not set and this is not a pod: name the namespace in which the receivers read their routes")
	}
	if err := errors.Join(checkRedis(redis), checkQuota(quota)); err != nil {
		return options{}, err
	}
	base, err := publicBase(*publicURL)
	if err != nil {
		return options{}, err
	}
	host, err := serviceHost(*receiverService, *routeNamespace, *clusterDomain)
	if err != nil {
		return options{}, err
	}
	for name, address := range map[string]string{
		"metrics-bind-address": *metricsAddress, "health-probe-bind-address": *healthAddress, "events-api-bind-address": *eventsAPIAddress,
	} {
		if err := checkAddress(name, address); err != nil {
			return options{}, err
		}
	}
	return options{
		settings:         compile.Settings{PublicURL: base, ReceiverHost: host, AllowExternalName: *allowExternalName},
		className:        *className,
		namespaces:       namespaces,
		quota:            *quota,
		routeNamespace:   *routeNamespace,
		redis:            redis,
		leaderElect:      *leaderElect,
		metricsAddress:   *metricsAddress,
		healthAddress:    *healthAddress,
		eventsAPIAddress: *eventsAPIAddress,
		kubeconfig:       *kubeconfig,
		logLevel:         logLevel,
	}, nil
}

// quotaFlags define what holds in namespaces without annotations.
func quotaFlags(flags *cli.Flags) *compile.Quota {
	quota := &compile.Quota{}
	flags.IntVar(&quota.MaxEndpoints, "max-endpoints-per-namespace", 0, "`number` of endpoints that are served in a namespace without the annotation "+v1alpha1.AnnotationMaxEndpoints+"; 0: any")
	flags.Func("max-body-bytes", "`size` of the largest body, for example 5Mi, in a namespace without the annotation "+v1alpha1.AnnotationMaxBodyBytes+"; by default what the API allows", func(text string) error {
		size, err := resource.ParseQuantity(text)
		n, whole := size.AsInt64()
		if err != nil || !whole || n < 0 {
			return errors.New("it is a whole number of bytes, for example 5Mi")
		}
		quota.MaxBodyBytes = n
		return nil
	})
	return quota
}

func checkQuota(quota *compile.Quota) error {
	if quota.MaxEndpoints < 0 {
		return cli.Usagef("--max-endpoints-per-namespace=%d must not be negative; 0 means any number", quota.MaxEndpoints)
	}
	return nil
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

// turnedOff is what addresses are of servers that are not wanted.
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
