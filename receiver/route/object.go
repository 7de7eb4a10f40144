package route

import "strings"

// The metadata of a route's Secret and of a receiver's Lease object.
const (
	// SecretType is the type of the Secrets that hold routes.
	SecretType = "hooks.sallyport.dev/route"
	// LabelRoute marks a Secret that holds a route; its value is "true".
	LabelRoute = "hooks.sallyport.dev/route"
	// LabelEndpointNamespace and LabelEndpointName lead from a route Secret back
	// to its endpoint.
	LabelEndpointNamespace = "hooks.sallyport.dev/endpoint-namespace"
	LabelEndpointName      = "hooks.sallyport.dev/endpoint-name"
	// AnnotationPath is the path of the route. A receiver that can't decode the
	// route answers 503 there instead of 404.
	AnnotationPath = "hooks.sallyport.dev/path"

	// LabelReceiver marks the Lease object of a receiver; its value is "true".
	LabelReceiver = "hooks.sallyport.dev/receiver"
	// AnnotationServed of a receiver's Lease object is the resourceVersion of the route
	// Secrets up to which the receiver serves every change.
	AnnotationServed = "hooks.sallyport.dev/routes-resource-version"
)

// Selector selects the Secrets that hold routes.
const Selector = LabelRoute + "=true"

// SecretName returns the name of the Secret that holds the route of an
// endpoint. No two endpoints share one: a namespace holds no dot.
func SecretName(namespace, name string) string { return namespace + "." + name }

// EndpointOf returns the endpoint that the Secret called secretName belongs to;
// ok is false if it is not a name that SecretName makes.
func EndpointOf(secretName string) (namespace, name string, ok bool) {
	namespace, name, ok = strings.Cut(secretName, ".")
	return namespace, name, ok && namespace != "" && name != ""
}

// Labels returns the labels of the Secret that holds the route of e.
func Labels(e Endpoint) map[string]string {
	return map[string]string{
		LabelRoute:             "true",
		LabelEndpointNamespace: e.Namespace,
		LabelEndpointName:      e.Name,
	}
}

// Annotations returns the annotations of the Secret that holds r.
func Annotations(r Route) map[string]string {
	return map[string]string{AnnotationPath: r.Path}
}

// Object is the part of a route Secret that a receiver reads.
type Object struct {
	// Name of the Secret, see SecretName.
	Name string
	// Path is the value of AnnotationPath.
	Path string
	// Data is what Encode returned.
	Data map[string][]byte
}

// fallback returns what is known of an object that can't be decoded: its endpoint and
// its path. A path outside of the endpoint's own namespace does not count.
func (o Object) fallback() (Route, bool) {
	namespace, name, ok := EndpointOf(o.Name)
	if !ok {
		return Route{}, false
	}
	path := o.Path
	if !strings.HasPrefix(path, "/"+namespace+"/") {
		path = "/" + namespace + "/" + name
	}
	return Route{Endpoint: Endpoint{Namespace: namespace, Name: name}, Path: path}, true
}
