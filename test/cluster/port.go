package cluster

import (
	"context"
	"net"
	"net/url"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"sallyport.dev/sallyport/test/port"
)

// Address returns an address of the loopback interface on which nobody listens:
// with the preferred port if that is free, else one of package port.
func Address(ctx context.Context, preferred int) (string, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(preferred))
	if port.Free(ctx, address) == nil {
		return address, nil
	}
	return port.Address(ctx)
}

// addresses fills in those of the given addresses that are empty.
func addresses(ctx context.Context, wanted ...*string) error {
	for _, address := range wanted {
		if *address != "" {
			continue
		}
		free, err := port.Address(ctx)
		if err != nil {
			return err
		}
		*address = free
	}
	return nil
}

// place has an API server and its etcd listen on addresses of package port, so
// that they can be started again.
func place(ctx context.Context, apiServer *envtest.APIServer, etcd *envtest.Etcd) error {
	var clients, peers, secure string
	if err := addresses(ctx, &clients, &peers, &secure); err != nil {
		return err
	}
	etcd.URL = &url.URL{Scheme: "http", Host: clients}
	etcd.Configure().Set("listen-peer-urls", "http://"+peers)
	var err error
	apiServer.Address, apiServer.Port, err = net.SplitHostPort(secure)
	return err
}
