package route

import "strings"

// serviceSuffix is what the name of an endpoint's own Service ends in. The
// manager makes the Service, see ServiceName.
const serviceSuffix = "-webhook"

// ServiceName returns the name of the Service through which senders inside the
// cluster reach the endpoint called name.
func ServiceName(name string) string { return name + serviceSuffix }

// endpointOfHost returns "namespace/name" of the endpoint that an HTTP Host
// inside the cluster stands for: <name>-webhook.<namespace>, alone or followed
// by ".svc" or ".svc.<clusterDomain>", with or without a port and a trailing
// dot, in any case.
func endpointOfHost(host, clusterDomain string) (endpoint string, ok bool) {
	host = strings.ToLower(withoutPort(host))
	host = strings.TrimSuffix(host, ".")
	host = strings.TrimSuffix(host, "."+clusterDomain)
	host = strings.TrimSuffix(host, ".svc")
	service, namespace, _ := strings.Cut(host, ".")
	name, ok := strings.CutSuffix(service, serviceSuffix)
	if !ok || name == "" || namespace == "" || strings.Contains(namespace, ".") {
		return "", false
	}
	return namespace + "/" + name, true
}

// withoutPort cuts the port off, if there is one; net.SplitHostPort fails without. It
// spoils addresses in brackets, which name no Service.
func withoutPort(host string) string {
	name, _, _ := strings.Cut(host, ":")
	return name
}
