package compile

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/route"
)

// targets are where the events of an endpoint go.
type targets struct {
	fallback route.Target // for what no route matches; zero: nothing gets it
	routes   []route.EventRoute
	// invalid says which routes have a match that can't be compiled.
	invalid Problems
	// problems say which targets can't be reached yet: their events wait.
	problems Problems
	notes    []string
}

// TargetServices lists the Services that an endpoint names as targets, each once.
func TargetServices(endpoint *v1alpha1.WebhookEndpoint) []string {
	var names []string
	for _, target := range specTargets(endpoint) {
		names = append(names, target.Service.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// specTargets are all targets of an endpoint.
func specTargets(endpoint *v1alpha1.WebhookEndpoint) []v1alpha1.Target {
	var all []v1alpha1.Target
	if endpoint.Spec.Target != nil {
		all = append(all, *endpoint.Spec.Target)
	}
	for i := range endpoint.Spec.Routes {
		all = append(all, endpoint.Spec.Routes[i].Target)
	}
	return all
}

// resolveTargets makes the routes, and says what is wrong with each. One that
// can't be compiled is kept all the same, so that deliveries that wait for its
// target still reach it.
func resolveTargets(in Input) targets {
	var t targets
	if in.Endpoint.Spec.Target != nil {
		t.fallback = t.resolve(in, *in.Endpoint.Spec.Target, 0)
	}
	for i, spec := range in.Endpoint.Spec.Routes {
		rule := matchRule(spec.Match)
		if _, err := match.Compile(rule); err != nil {
			t.invalid = append(t.invalid, problem(v1alpha1.ReasonInvalidRoute, "routes[%s].match.%v.", spec.Name, err)...)
		}
		t.routes = append(t.routes, route.EventRoute{Name: spec.Name, Match: rule, Target: t.resolve(in, spec.Target, i+1)})
	}
	return t
}

// resolve makes a target of the route; its number is that of SigningEntry.
func (t *targets) resolve(in Input, spec v1alpha1.Target, number int) route.Target {
	target, problems := resolveTarget(in, spec)
	if spec.Service.CARef != nil {
		var untrusted Problems
		target.CA, untrusted = resolveCA(*spec.Service.CARef, in.Authorities)
		problems = append(problems, untrusted...)
	}
	if spec.SigningSecretRef != nil {
		key, signing := resolveSigning(*spec.SigningSecretRef, in.Signing)
		target.Signing, problems = key.inEntry(route.SigningEntry(number)), append(problems, signing...)
		t.notes = append(t.notes, key.notes...)
	}
	problems = append(problems, resolveProofs(in, spec, &target)...)
	if len(problems) > 0 {
		target.Unresolved = problems[0].Message
	}
	for _, problem := range problems {
		if !slices.Contains(t.problems, problem) { // two routes may lead to one Service
			t.problems = append(t.problems, problem)
		}
	}
	return target
}

func matchRule(spec *v1alpha1.EventMatch) match.Rule {
	if spec == nil {
		return match.Rule{}
	}
	return match.Rule{Types: spec.Types, Expression: spec.Expression}
}

// resolveTarget finds the port of a target, or says why it can't be reached.
func resolveTarget(in Input, spec v1alpha1.Target) (route.Target, Problems) {
	want, service := spec.Service, in.Services[spec.Service.Name]
	target := route.Target{
		Namespace: in.Endpoint.Namespace,
		Service:   want.Name,
		Port:      int32(want.Port.IntValue()),
		Scheme:    want.Scheme,
		Path:      want.Path,
	}
	switch {
	case service == nil:
		return target, problem(v1alpha1.ReasonTargetNotFound,
			"There is no Service %q in this namespace: events are accepted and kept until it appears.", want.Name)
	case service.Spec.Type == corev1.ServiceTypeExternalName && !in.Settings.AllowExternalName:
		return target, problem(v1alpha1.ReasonTargetNotAllowed,
			"The Service %q is of type ExternalName, which may lead out of the cluster and is not allowed as a target: events are kept.", want.Name)
	case service.Spec.Type == corev1.ServiceTypeExternalName && want.Port.Type == intstr.Int:
		return target, nil
	}
	for _, port := range service.Spec.Ports {
		if matches(want.Port, port) {
			target.Port = port.Port
			return target, nil
		}
	}
	return target, problem(v1alpha1.ReasonTargetPortNotFound,
		"The Service %q has no TCP port %s: events are accepted and kept until it has.", want.Name, want.Port.String())
}

func matches(want intstr.IntOrString, port corev1.ServicePort) bool {
	if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP {
		return false
	}
	if want.Type == intstr.String {
		return port.Name == want.StrVal
	}
	return port.Port == want.IntVal
}
