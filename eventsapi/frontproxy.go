package eventsapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
)

// Where the API server says what its front proxy is known by, see "Configure the
// Aggregation Layer" in the documentation of Kubernetes. The manager may read all
// ConfigMaps, so it needs no further role.
const (
	authenticationConfig = "extension-apiserver-authentication"
	authenticationCA     = "requestheader-client-ca-file"
)

// frontProxy believes what the API server's front proxy says about the user of a
// request, and nobody else. It follows the API server when that changes its CA.
type frontProxy struct {
	authenticator.Request
	headers *headerrequest.RequestHeaderAuthRequestController
	ca      *dynamiccertificates.ConfigMapCAController
}

func newFrontProxy(client kubernetes.Interface) (*frontProxy, error) {
	ca, err := dynamiccertificates.NewDynamicCAFromConfigMapController("front-proxy", metav1.NamespaceSystem, authenticationConfig, authenticationCA, client)
	if err != nil {
		return nil, fmt.Errorf("follow the CA of the API server's front proxy: %w", err)
	}
	headers := headerrequest.NewRequestHeaderAuthRequestController(authenticationConfig, metav1.NamespaceSystem, client,
		"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers",
		"requestheader-extra-headers-prefix", "requestheader-allowed-names")
	return &frontProxy{
		Request: headerrequest.NewDynamicVerifyOptionsSecure(ca.VerifyOptions,
			headerrequest.StringSliceProviderFunc(headers.AllowedClientNames),
			headerrequest.StringSliceProviderFunc(headers.UsernameHeaders),
			headerrequest.StringSliceProviderFunc(headers.UIDHeaders),
			headerrequest.StringSliceProviderFunc(headers.GroupHeaders),
			headerrequest.StringSliceProviderFunc(headers.ExtraHeaderPrefixes)),
		headers: headers, ca: ca,
	}, nil
}

// run follows the ConfigMap until ctx ends.
func (p *frontProxy) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { p.headers.Run(ctx, 1) })
	running.Go(func() { p.ca.Run(ctx, 1) })
	running.Wait()
}

// errNoCA: the ConfigMap has not been read yet, or has no CA.
var errNoCA = errors.New("the CA of the API server's front proxy is not known")

// tlsConfig lets only those connect that have a certificate of the front proxy's CA.
// Who of them is the front proxy is decided for each request. Without session tickets
// each connection shows its certificate.
func (p *frontProxy) tlsConfig(current func() *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			options, known := p.ca.VerifyOptions()
			certificate := current()
			if !known || certificate == nil {
				return nil, errNoCA
			}
			return &tls.Config{
				MinVersion:             tls.VersionTLS12,
				Certificates:           []tls.Certificate{*certificate},
				ClientAuth:             tls.RequireAndVerifyClientCert,
				ClientCAs:              options.Roots,
				NextProtos:             []string{"h2", "http/1.1"},
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}
