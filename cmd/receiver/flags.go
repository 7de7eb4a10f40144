package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/cmd/internal/cli"
	"sallyport.dev/sallyport/receiver"
	"sallyport.dev/sallyport/receiver/intake"
	"sallyport.dev/sallyport/receiver/store"
)

// defaultGrace leaves the kubelet, which kills after its own grace period, some
// seconds to spare.
const defaultGrace = 30 * time.Second

const (
	// defaultMaxConnections take some 100 MiB, if all of them send something.
	defaultMaxConnections = 4096
	// defaultRetention of dead letters leaves people a month to mend a target.
	defaultRetention = 30 * 24 * time.Hour
)

// parseFlags reads the flags and the environment, and says all that is wrong.
func parseFlags(env cli.Env) (receiver.Options, error) {
	o := receiver.Options{ConnectTo: map[string]string{}, AuditLog: env.Stdout}
	var proxies []string
	f := cli.NewFlags(env, "takes webhooks in, and delivers them to Services")
	f.StringVar(&o.Listen, "listen", ":8080", "`address` that senders post to")
	f.StringVar(&o.AdminListen, "admin-listen", ":9090", "`address` of /metrics, /healthz and /readyz")
	f.Redis(&o.RedisURL, &o.RedisPasswordFile, &o.RedisTLS, "")
	redisWaitFlags(f, &o.RedisWait)
	f.IntVar(&o.JournalRecords, "journal-records", store.DefaultJournalRecords, "`number` of audit records of each endpoint that are kept in Redis, for kubectl hooks events and tail; 0: none")
	normalEvents := f.Bool("normal-events", true, "write Kubernetes Events of type Normal, too: what was accepted and delivered; false: Warnings only")
	keepFlags(f, &o)
	f.IntVar(&o.MaxConnections, "max-connections", defaultMaxConnections, "`number` of connections of senders; a new one takes the place of one that is idle, or whose request has been awaited for the longest time; 0: any")
	f.StringVar(&o.ClusterDomain, "cluster-domain", "cluster.local", "DNS `domain` of the cluster")
	f.DurationVar(&o.ShutdownDelay, "shutdown-delay", 0, "how long requests are still taken on shutdown, while proxies notice that this receiver goes")
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
	f.RouteNamespace(&o.RouteNamespace)
	var kubeconfig string
	f.Kubeconfig(&kubeconfig)
	level := f.LogLevel()
	if err := f.Read(); err != nil {
		return o, err
	}
	o.Logger, o.WarningsOnly = env.Logger(level), !*normalEvents
	var err error
	if o.TrustedProxies, err = intake.ParseTrustedProxies(proxies); err != nil {
		return o, cli.Usagef("--trusted-proxies: %w", err)
	}
	if err := checkOptions(o); err != nil {
		return o, err
	}
	if o.Kubernetes, err = cli.RestConfig(kubeconfig); err != nil {
		return o, err
	}
	o.Identity, err = identity(env, o.Listen)
	return o, err
}

// redisWaitFlags defines on how many servers an event must be before its sender is
// told so.
func redisWaitFlags(f *cli.Flags, wait *store.Wait) {
	f.IntVar(&wait.Replicas, "redis-wait-replicas", 0, "`number` of replicas that must have an event before its sender gets a 2xx (WAIT)")
	f.Func("redis-wait-aof", "`local,replicas`: in the append-only files of how many servers an event must be before its sender gets a 2xx (WAITAOF): 0 or 1 of the server itself, and any number of its replicas", func(text string) error {
		local, replicas, _ := strings.Cut(text, ",")
		var errs [2]error
		wait.LocalAOF, errs[0] = strconv.Atoi(local)
		wait.ReplicaAOF, errs[1] = strconv.Atoi(replicas)
		if errors.Join(errs[:]...) != nil {
			return errors.New("it is two numbers, for example 1,1")
		}
		return nil
	})
	f.DurationVar(&wait.Timeout, "redis-wait-timeout", store.DefaultWaitTimeout, "how long servers have for what --redis-wait-replicas and --redis-wait-aof ask for; then the sender gets 503")
}

// keepFlags define how much is kept of what can't be delivered, and for how long.
func keepFlags(f *cli.Flags, o *receiver.Options) {
	o.MaxQueuedBytes = store.DefaultMaxQueuedBytes
	f.Bytes(&o.MaxQueuedBytes, "max-queued-bytes", "`size` of what is stored of each endpoint, dead letters included, for example 1Gi, which is the default; beyond it senders get 503. It is lowered to a quarter of Redis's maxmemory, and to what is free for all endpoints; 0: any, and then one endpoint can fill Redis")
	f.DurationVar(&o.DeadLetterRetention, "dead-letter-retention", defaultRetention, "how long dead letters are kept; each that is removed is in the audit log as expired; 0: for ever")
}

func checkOptions(o receiver.Options) error {
	if err := cli.CheckRedisURL(o.RedisURL); err != nil {
		return err
	}
	switch {
	case o.RouteNamespace == "":
		return cli.Usagef("--route-namespace is not set and this is not a pod: name the namespace that the manager keeps the routes in")
	case o.JournalRecords < 0:
		return cli.Usagef("--journal-records=%d must not be negative; 0 keeps none", o.JournalRecords)
	case o.MaxConnections < 0:
		return cli.Usagef("--max-connections=%d must not be negative; 0 is for any number", o.MaxConnections)
	case o.DeadLetterRetention < 0:
		return cli.Usagef("--dead-letter-retention=%v must not be negative; 0 keeps dead letters for ever", o.DeadLetterRetention)
	case o.ShutdownDelay < 0:
		return cli.Usagef("--shutdown-delay=%v must not be negative; 0 takes no more requests at once", o.ShutdownDelay)
	case o.ShutdownGrace <= 0:
		return cli.Usagef("--shutdown-grace=%v must be longer than nothing, for example %v", o.ShutdownGrace, defaultGrace)
	}
	return nil
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
