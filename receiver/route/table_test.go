package route

import (
	"testing"
	"time"
)

func liveOf(t *testing.T, routes ...Route) *Live {
	t.Helper()
	live := NewLive("cluster.local")
	objects := make([]Object, 0, len(routes))
	for _, r := range routes {
		objects = append(objects, testObject(t, r))
	}
	live.Replace(objects)
	return live
}

func TestLookup(t *testing.T) {
	custom := testRoute("paypal")
	custom.Path = "/billing/v1/paypal"
	table := liveOf(t, testRoute("stripe"), custom).Table()
	const public = "hooks.example.com"
	for name, test := range map[string]struct{ path, host, want string }{
		"path":                     {"/billing/stripe", public, "billing/stripe"},
		"own path":                 {"/billing/v1/paypal", public, "billing/paypal"},
		"default path is not kept": {"/billing/paypal", public, ""},
		"unknown path":             {"/billing/nobody", public, ""},
		"longer path":              {"/billing/stripe/", public, ""},
		"shorter path":             {"/billing", public, ""},
		"other case":               {"/Billing/stripe", public, ""},
		"root":                     {"/", public, ""},
		"in-cluster host":          {"/", "stripe-webhook.billing", "billing/stripe"},
		"in-cluster, empty path":   {"", "stripe-webhook.billing", "billing/stripe"},
		"in-cluster, port":         {"/", "stripe-webhook.billing:8080", "billing/stripe"},
		"in-cluster, svc":          {"/", "stripe-webhook.billing.svc", "billing/stripe"},
		"in-cluster, domain":       {"/", "stripe-webhook.billing.svc.cluster.local:80", "billing/stripe"},
		"in-cluster, trailing dot": {"/", "stripe-webhook.billing.svc.cluster.local.", "billing/stripe"},
		"in-cluster, dot and port": {"/", "stripe-webhook.billing.svc.cluster.local.:80", "billing/stripe"},
		"in-cluster, case":         {"/", "Stripe-Webhook.BILLING.Svc", "billing/stripe"},
		"in-cluster, unknown":      {"/", "nobody-webhook.billing", ""},
		"in-cluster, other path":   {"/x", "stripe-webhook.billing", ""},
		"other domain":             {"/", "stripe-webhook.billing.svc.example.com", ""},
		"no service name":          {"/", "-webhook.billing", ""},
		"no namespace":             {"/", "stripe-webhook", ""},
		"no namespace but a dot":   {"/", "stripe-webhook.", ""},
		"no suffix":                {"/", "stripe.billing", ""},
		"address":                  {"/", "[::1]:8080", ""},
		"nothing":                  {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if entry := table.Lookup(test.path, test.host); entry != nil {
				got = entry.Name
			}
			if got != test.want {
				t.Errorf("%q at %q leads to %q, want %q", test.path, test.host, got, test.want)
			}
		})
	}
}

func TestOldestHasThePathThenTheSmallerName(t *testing.T) {
	at := func(name string, age time.Duration) Route {
		r := testRoute(name)
		r.Path, r.Endpoint.Created = "/billing/shared", r.Endpoint.Created.Add(-age)
		return r
	}
	for want, routes := range map[string][]Route{
		"billing/old": {at("a", 0), at("old", time.Hour), at("b", time.Minute)},
		"billing/a":   {at("b", 0), at("a", 0), at("c", 0)},
	} {
		table := liveOf(t, routes...).Table()
		if got := table.Lookup("/billing/shared", "").Name; got != want {
			t.Errorf("%s has the path, want %s", got, want)
		}
		for _, r := range routes {
			if table.Endpoint(r.Endpoint.String()) == nil {
				t.Errorf("%s can't be found by its name", r.Endpoint)
			}
		}
	}
}

func TestRouteThatCannotBeReadFailsClosedAtItsPath(t *testing.T) {
	badProvider := testRoute("bad-provider")
	badProvider.Provider.Schemes = nil
	foreign := testObject(t, testRoute("foreign"))
	foreign.Name = SecretName("billing", "another")
	for name, test := range map[string]struct {
		object Object
		path   string
	}{
		"no data":           {Object{Name: "billing.x"}, "/billing/x"},
		"a path of its own": {Object{Name: "billing.x", Path: "/billing/own"}, "/billing/own"},
		"a path of others":  {Object{Name: "billing.x", Path: "/payroll/own"}, "/billing/x"},
		"a later version":   {Object{Name: "billing.x", Data: map[string][]byte{document: []byte(`{"version":2}`)}}, "/billing/x"},
		"a bad provider":    {testObject(t, badProvider), "/billing/bad-provider"},
		"another's route":   {foreign, "/billing/foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			live := NewLive("cluster.local")
			live.Replace([]Object{test.object, testObject(t, testRoute("stripe"))})
			table := live.Table()
			entry := table.Lookup(test.path, "")
			if entry == nil || entry.Unavailable() == "" || entry.Verifier != nil {
				t.Fatalf("%s is answered by %+v, want an entry that fails closed", test.path, entry)
			}
			if table.Invalid() != 1 || table.Len() != 2 {
				t.Errorf("%d of %d routes are invalid, want 1 of 2", table.Invalid(), table.Len())
			}
			if good := table.Lookup("/billing/stripe", ""); good == nil || good.Unavailable() != "" {
				t.Errorf("another endpoint suffers: %+v", good)
			}
		})
	}
}

func TestInvalidRouteTakesNoPathFromAValidOne(t *testing.T) {
	live := NewLive("cluster.local")
	live.Replace([]Object{{Name: "billing.a", Path: "/billing/stripe"}, testObject(t, testRoute("stripe"))})
	if got := live.Table().Lookup("/billing/stripe", ""); got.Name != "billing/stripe" {
		t.Errorf("%s has the path", got.Name)
	}
}

func FuzzEndpointOfHost(f *testing.F) {
	for _, host := range []string{"stripe-webhook.billing", "a-webhook.b.svc.cluster.local.:80", "[::1]:80", "..", "-webhook."} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		endpoint, ok := endpointOfHost(host, "cluster.local")
		if ok != (endpoint != "") {
			t.Errorf("%q leads to %q, %v", host, endpoint, ok)
		}
	})
}
