package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver"
	"sallyport.dev/sallyport/receiver/store"
)

// defaultGrace leaves the kubelet, which kills after its own grace period, some
// seconds to spare.
const defaultGrace = 30 * time.Second

// parseFlags reads the flags and the environment, and says all that is wrong.
func parseFlags(env cli.Env) (receiver.Options, error) {
	o := receiver.Options{ConnectTo: map[string]string{}, AuditLog: env.Stdout}
	var proxies []string
	f := cli.NewFlags(env, "takes webhooks in, and delivers them to Services")
	f.StringVar(&o.Listen, "listen", ":8080", "`address` that senders post to")
	f.StringVar(&o.AdminListen, "admin-listen", ":9090", "`address` of /metrics, /healthz and /readyz")
	f.StringVar(&o.RedisURL, "redis-url", "", "`URL` of the Redis that keeps events: redis://, rediss:// or unix://")
	redisFlags(f, &o)
	f.StringVar(&o.ClusterDomain, "cluster-domain", "cluster.local", "DNS `domain` of the cluster")
	f.DurationVar(&o.ShutdownGrace, "shutdown-grace", defaultGrace, "how long requests and deliveries in flight may take on shutdown")
	f.List("trusted-proxies", "`networks` of the proxies in front, whose X-Forwarded-For is believed, in CIDR notation; repeatable", func(network string) error {
		proxies = append(proxies, network)
		return nil
	})
	f.List("connect-to", "`namespace/service:port=host:port`: where to connect for a Service, instead of asking DNS; repeatable", func(mapping string) error {
		service, address, err := parseConnectTo(mapping)
		o.ConnectTo[service] = address
		return err
	})
	namespace, kubeconfig, level := f.RouteNamespace(), f.Kubeconfig(), f.LogLevel()
	if err := f.Read(); err != nil {
		return o, err
	}
	o.RouteNamespace, o.Log = *namespace, env.Logger(level)
	var err error
	if o.TrustedProxies, err = receiver.ParseTrustedProxies(proxies); err != nil {
		return o, cli.Usagef("--trusted-proxies: %w", err)
	}
	if err := checkOptions(o); err != nil {
		return o, err
	}
	if o.Kubernetes, err = cli.RestConfig(*kubeconfig); err != nil {
		return o, err
	}
	o.Identity, err = identity(env, o.Listen)
	return o, err
}

// redisFlags defines what there is to say about Redis besides its URL. Whether
// the values make sense together is up to the store.
func redisFlags(f *cli.Flags, o *receiver.Options) {
	f.StringVar(&o.RedisTLS.CA, "redis-ca-file", "", "PEM `file` of the CA that signed the certificate of Redis; by default the system's CAs")
	f.StringVar(&o.RedisTLS.Cert, "redis-cert-file", "", "PEM `file` of the certificate to show to Redis")
	f.StringVar(&o.RedisTLS.Key, "redis-key-file", "", "PEM `file` of the key of --redis-cert-file")
	f.IntVar(&o.RedisWait.Replicas, "redis-wait-replicas", 0, "`number` of replicas that must have an event before its sender gets a 2xx (WAIT)")
	f.Func("redis-wait-aof", "`local,replicas`: in the append-only files of how many servers an event must be before its sender gets a 2xx (WAITAOF): 0 or 1 of the server itself, and any number of its replicas", func(text string) error {
		local, replicas, _ := strings.Cut(text, ",")
		var errs [2]error
		o.RedisWait.LocalAOF, errs[0] = strconv.Atoi(local)
		o.RedisWait.ReplicaAOF, errs[1] = strconv.Atoi(replicas)
		if errors.Join(errs[:]...) != nil {
			return errors.New("it is two numbers, for example 1,1")
		}
		return nil
	})
	f.DurationVar(&o.RedisWait.Timeout, "redis-wait-timeout", store.DefaultWaitTimeout, "how long servers have for what --redis-wait-replicas and --redis-wait-aof ask for; then the sender gets 503")
}

func checkOptions(o receiver.Options) error {
	switch {
	case !isRedisURL(o.RedisURL):
		return cli.Usagef("--redis-url must be a URL that begins with redis://, rediss:// or unix://, for example redis://sallyport-redis:6379/0")
	case o.RouteNamespace == "":
		return cli.Usagef("--route-namespace is not set and this is not a pod: name the namespace that the manager keeps the routes in")
	case o.ShutdownGrace <= 0:
		return cli.Usagef("--shutdown-grace=%v must be longer than nothing, for example %v", o.ShutdownGrace, defaultGrace)
	}
	return nil
}

// isRedisURL says nothing about why not: an error of net/url would quote the
// URL, password included.
func isRedisURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "redis" || u.Scheme == "rediss" || u.Scheme == "unix")
}

// parseConnectTo reads "namespace/service:port=host:port". Ports are numbers:
// routes hold no names of ports.
func parseConnectTo(mapping string) (service, address string, err error) {
	service, address, ok := strings.Cut(mapping, "=")
	namespace, servicePort, hasNamespace := strings.Cut(service, "/")
	if !ok || !hasNamespace || namespace == "" || !isHostPort(servicePort) || !isHostPort(address) {
		return "", "", fmt.Errorf("%q is not of the form namespace/service:port=host:port", mapping)
	}
	return service, address, nil
}

func isHostPort(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0
}

// identity names this receiver in its Lease and in audit records: the pod, or
// host and port, so that several can run on one machine.
func identity(env cli.Env, listen string) (string, error) {
	if pod, ok := env.Lookup("POD_NAME"); ok && pod != "" {
		return pod, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("this receiver needs a name: set the environment variable POD_NAME: %w", err)
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", cli.Usagef("--listen=%s must be host:port or :port", listen)
	}
	return net.JoinHostPort(host, port), nil
}
