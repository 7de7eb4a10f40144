package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/controllers/compile"
)

// options are the flags, checked.
type options struct {
	settings       compile.Settings
	routeNamespace string
	leaderElect    bool
	metricsAddress string
	healthAddress  string
	kubeconfig     string
	logLevel       *slog.LevelVar
}

func parseFlags(env cli.Env) (options, error) {
	flags := cli.NewFlags(env, "turns WebhookEndpoints into the routes that receivers serve.")
	publicURL := flags.String("public-url", "", "`URL` under which providers reach the receivers, for example https://hooks.example.com")
	receiverService := flags.String("receiver-service", "sallyport-receiver", "the receivers' Service: a `name` in the route namespace, or namespace/name")
	clusterDomain := flags.String("cluster-domain", "cluster.local", "DNS `domain` of the cluster")
	allowExternalName := flags.Bool("allow-external-name-targets", false, "let endpoints target Services of type ExternalName, which may lead out of the cluster")
	leaderElect := flags.Bool("leader-elect", false, "work only while holding the manager's Lease, so that several managers can stand by")
	metricsAddress := flags.String("metrics-bind-address", ":8080", "`address` of the metrics; 0 turns them off")
	healthAddress := flags.String("health-probe-bind-address", ":8081", "`address` of /healthz and /readyz; 0 turns them off")
	routeNamespace, kubeconfig, logLevel := flags.RouteNamespace(), flags.Kubeconfig(), flags.LogLevel()
	if err := flags.Read(); err != nil {
		return options{}, err
	}

	if *routeNamespace == "" {
		return options{}, cli.Usagef("--route-namespace is not set and this is not a pod: name the namespace in which the receivers read their routes")
	}
	base, err := publicBase(*publicURL)
	if err != nil {
		return options{}, err
	}
	host, err := serviceHost(*receiverService, *routeNamespace, *clusterDomain)
	if err != nil {
		return options{}, err
	}
	for name, address := range map[string]string{"metrics-bind-address": *metricsAddress, "health-probe-bind-address": *healthAddress} {
		if err := checkAddress(name, address); err != nil {
			return options{}, err
		}
	}
	return options{
		settings:       compile.Settings{PublicURL: base, ReceiverHost: host, AllowExternalName: *allowExternalName},
		routeNamespace: *routeNamespace,
		leaderElect:    *leaderElect,
		metricsAddress: *metricsAddress,
		healthAddress:  *healthAddress,
		kubeconfig:     *kubeconfig,
		logLevel:       logLevel,
	}, nil
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

func checkAddress(flag, address string) error {
	if address == "0" {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return cli.Usagef("--%s=%s is not an address: write host:port or :port, or 0 to turn it off", flag, address)
	}
	return nil
}
