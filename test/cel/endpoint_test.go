package cel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The smallest endpoint.
const minimalEndpoint = `
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: stripe, namespace: default}
spec:
  provider: stripe
  secretRef: {name: stripe-webhook}
  target: {service: {name: billing-api, port: 8080}}
`

// An endpoint that says everything, at the bounds.
const fullEndpoint = `
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: stripe, namespace: default}
spec:
  className: internal
  provider: stripe
  secretRef: {name: stripe-webhook, key: signing-secret}
  parameters: [{name: topic, values: [a, b]}, {name: team, values: [red]}]
  secretRotation: {grace: 720h}
  path: /v1/stripe
  target:
    service: {name: billing-api, port: http, path: /webhooks/stripe, scheme: http}
    signingSecretRef: {name: billing-signing, key: signing-secret}
    signature: Fresh
    credentials: Forward
  routes:
  - name: invoices
    match: {types: ["invoice.*"], expression: "event.body.livemode == true"}
    target:
      service: {name: invoicing, port: 443, path: /, scheme: https, caRef: {name: billing-ca, key: ca.crt}}
      signature: AsSent
      credentials: Remove
  delivery:
    mode: Async
    timeout: 5m
    maxInFlight: 1000
    rateLimit: {perSecond: 100000, burst: 1000000}
    retry: {maxAttempts: 100, minBackoff: 100ms, maxBackoff: 24h, maxAge: 720h}
  paused: true
  deduplication: {window: 720h, replayProtection: Strict}
  limits:
    maxBodyBytes: 64Mi
    sourceRanges: [192.30.252.0/22, "2606:50c0::/32"]
    rateLimit: {perSecond: 100000, burst: 1000000}
`

const (
	classRule         = "className must consist of lower case letters, digits and '-', and start and end with a letter or digit, for example internal"
	nameRule          = "@<nil>: metadata.name must start with a letter, consist of lower case letters, digits and '-', and have at most 55 characters: a Service called <name>-webhook is made for it"
	providerRule      = "provider must be the name of a WebhookProvider or of a built-in preset, for example github or stripe: lower case letters, digits and '-'"
	secretNameRule    = "secretRef.name must be the name of a Secret: lower case letters, digits, '-' and '.'"
	secretKeyRule     = "secretRef.key must be an entry of a Secret: letters, digits, '-', '_' and '.'"
	pathRule          = "path must start with '/' and consist of segments of letters, digits, '-', '_', '~' and '.' that don't start with a dot, with no '/' at the end, for example /stripe or /v1/stripe"
	serviceNameRule   = "target.service.name must be the name of a Service in the endpoint's own namespace, not a URL or a host name"
	servicePortRule   = "target.service.port must be a number from 1 to 65535, without quotes, or the name of a port of the Service"
	servicePathRule   = "target.service.path must start with '/' and hold no query, fragment or space"
	routeNameRule     = "routes[].name must consist of lower case letters, digits and '-', and start and end with a letter or digit, for example invoices"
	timeoutRule       = "delivery.timeout must be a duration from 100ms to 5m, for example 10s"
	minBackoffRule    = "delivery.retry.minBackoff must be a duration from 100ms to 1h, for example 1s"
	maxBackoffRule    = "delivery.retry.maxBackoff must be a duration from 100ms to 24h, for example 1h"
	maxAgeRule        = "delivery.retry.maxAge must be a duration from 1m to 720h, for example 72h"
	windowRule        = "deduplication.window must be a duration from 1m to 720h, for example 72h"
	maxBodyBytesRule  = "limits.maxBodyBytes must be a whole number of bytes from 1 to 64Mi, for example 5Mi"
	networkRule       = "@spec.limits.sourceRanges[0]: limits.sourceRanges must be networks in CIDR notation, for example 192.30.252.0/22, or 203.0.113.7/32 for one address"
	networkPrefixRule = "@spec.limits.sourceRanges[0]: limits.sourceRanges must have no bits set behind the prefix: write 203.0.113.0/24 for the network, or 203.0.113.7/32 for one address of it"
)

func TestEndpointWhoSends(t *testing.T) {
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "metadata.name", says: nameRule,
			good: []any{"a", "github", "github-2", strings.Repeat("a", 55)},
			bad:  []any{"1password", "stripe.billing", "2", strings.Repeat("a", 56)}},
		{field: "spec.className", says: classRule,
			good: []any{nil, "internal", "2", "team-a", strings.Repeat("a", 63)},
			bad:  []any{"", "Internal", "team a", "team.a", "team/a", "-a", "a-", "a_b"}},
		{field: "spec.provider", says: providerRule,
			good: []any{"github", "1password", "in-house-2", strings.Repeat("a", 63)},
			bad:  []any{"", "GitHub", "git hub", "github.com", "https://github.com", "-github", "github-", "github/enterprise"}},
		{field: "spec.provider", says: missing, bad: []any{nil}},
		{field: "spec.secretRef.name", says: secretNameRule,
			good: []any{"github", "github.webhook", "1"},
			bad:  []any{"", "GitHub", "billing/stripe", "stripe_webhook", ".stripe"}},
		{field: "spec.secretRef.key", says: secretKeyRule,
			good: []any{"secret", "TOKEN", ".token", "a_b-c.d", strings.Repeat("k", 253)},
			bad:  []any{"", "a/b", "a b", "ключ"}},
		{field: "spec.secretRef", says: "@spec.secretRef.name: Required value",
			good: []any{nil, map[string]any{"name": "hook"}},
			bad:  []any{map[string]any{}, map[string]any{"key": "secret"}}},
	})
}

func TestEndpointParameters(t *testing.T) {
	parameter := func(name any, values ...any) any { return map[string]any{"name": name, "values": values} }
	parameters := func(all ...any) any { return all }
	const field = "spec.parameters"
	many := make([]any, 65)
	for i := range many {
		many[i] = strings.Repeat("a", i+1)
	}
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: field, says: "spec.parameters in body should have at least 1 items", good: []any{parameters(parameter("topic", "a")), parameters(parameter("topic", many[:64]...), parameter("team", "a"))}, bad: []any{[]any{}}},
		{field: field, says: "@spec.parameters[0].values: Required value", bad: []any{parameters(map[string]any{"name": "topic"})}},
		{field: field, says: "@spec.parameters[0].values: spec.parameters[0].values in body should have at least 1 items", bad: []any{parameters(map[string]any{"name": "topic", "values": []any{}})}},
		{field: field, says: "@spec.parameters[0].values[0]: spec.parameters[0].values[0] in body should be at least 1 chars long", bad: []any{parameters(parameter("topic", ""))}},
		{field: field, says: "@spec.parameters[0].values[0]: Too long: may not be more than 256 bytes", bad: []any{parameters(parameter("topic", strings.Repeat("a", 257)))}},
		{field: field, says: `@spec.parameters[0].values[1]: Duplicate value: "a"`, bad: []any{parameters(parameter("topic", "a", "a"))}},
		{field: field, says: "@spec.parameters[0].values: Too many: 65: must have at most 64 items", bad: []any{parameters(parameter("topic", many...))}},
		{field: field, says: "@spec.parameters[0].name: spec.parameters[0].name in body should be at least 1 chars long", bad: []any{parameters(parameter("", "a"))}},
		{field: field, says: `@spec.parameters[1]: Duplicate value: {"name":"topic"}`, bad: []any{parameters(parameter("topic", "a"), parameter("topic", "b"))}},
	})
}

func TestEndpointSecretRotation(t *testing.T) {
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "spec.secretRotation.grace", says: "secretRotation.grace must be a duration from 0s to 720h, for example 24h",
			good: []any{"0s", "1.5s", "24h", "720h"}, bad: []any{"", "0", "30d", "-1h", "721h", "24", "PT1H"}},
		{field: "spec.secretRotation.grace", says: `spec.secretRotation.grace in body must be of type string: "integer"`, bad: []any{int64(0)}},
	})
}

func TestEndpointPath(t *testing.T) {
	check(t, manifest(t, minimalEndpoint), []rule{{
		field: "spec.path", says: pathRule,
		good: []any{"/stripe", "/v1/stripe", "/a", "/-", "/_x/~y", "/Stripe.v2", "/" + strings.Repeat("a", 255)},
		bad: []any{
			"", "/", "stripe", "/stripe/", "//stripe", "/a//b", "/../billing", "/a/../b", "/a/.", "/.hidden", "/a/..",
			"/stripe?token=1", "/stripe#top", "/a b", "/a%2fb", "/a;b", "/a:b", "/größe", "/a\\b", "/a\n", "https://hooks.example.com/stripe",
		},
	}})
}

func TestEndpointTarget(t *testing.T) {
	trusting := func(name, key string) any {
		return map[string]any{"name": "a", "port": int64(443), "scheme": "https", "caRef": map[string]any{"name": name, "key": key}}
	}
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "spec.target", says: "@spec: spec needs a target, or routes, or both: target gets the events that no route matches", bad: []any{nil}},
		{field: "spec.target.service", says: missing, bad: []any{nil}},
		{field: "spec.target.signingSecretRef", says: "@spec.target.signingSecretRef.name: Required value",
			good: []any{map[string]any{"name": "signing"}, map[string]any{"name": "signing", "key": "a"}}, bad: []any{map[string]any{"key": "a"}}},
		{field: "spec.target.signature", says: `Unsupported value: "fresh": supported values: "AsSent", "Fresh"`, good: []any{nil, "AsSent", "Fresh"}, bad: []any{"fresh"}},
		{field: "spec.target.credentials", says: `Unsupported value: "Keep": supported values: "Remove", "Forward"`, good: []any{nil, "Remove", "Forward"}, bad: []any{"Keep"}},
		{field: "spec.target.service.name", says: missing, bad: []any{nil}},
		{field: "spec.target.service.name", says: serviceNameRule,
			good: []any{"billing-api", "a", "1st", strings.Repeat("a", 63)},
			bad: []any{
				"", "Billing", "http://billing-api", "billing-api:8080", "billing-api.other", "billing-api.other.svc.cluster.local",
				"other/billing-api", "-a", "a-", "127.0.0.1", "billing_api",
			}},
		{field: "spec.target.service.port", says: missing, bad: []any{nil}},
		{field: "spec.target.service.port", says: servicePortRule,
			good: []any{int64(1), int64(65535), "http", "8080-tcp", "a", strings.Repeat("p", 15)},
			bad: []any{
				int64(0), int64(-1), int64(65536), int64(1 << 31), "", "8080", "HTTP", "http_alt", "-http", "http-", strings.Repeat("p", 16),
			}},
		{field: "spec.target.service.path", says: servicePathRule,
			good: []any{"/", "/webhooks/stripe", "/a/", "/a%20b", "/@x:y,z;v=1", "/" + strings.Repeat("a", 1023)},
			bad:  []any{"", "webhooks", "/a?b=c", "/a#b", "/a b", "/ä", "http://billing-api/", "/a\r\nX-Evil: 1"}},
		{field: "spec.target.service.scheme", says: `Unsupported value: "ftp": supported values: "http", "https"`, good: []any{"http", "https"}, bad: []any{"ftp"}},
		{field: "spec.target.service", says: "target.service.caRef needs scheme https: http has no certificates",
			good: []any{map[string]any{"name": "a", "port": int64(443), "scheme": "https", "caRef": map[string]any{"name": "ca", "key": "bundle.pem"}}},
			bad:  []any{map[string]any{"name": "a", "port": int64(443), "caRef": map[string]any{"name": "ca"}}}},
		{field: "spec.target.service", says: "@spec.target.service.caRef.name: caRef.name must be the name of a ConfigMap: lower case letters, digits, '-' and '.'",
			good: []any{trusting("ca.bundle", "A_b-c.d")}, bad: []any{trusting("", "ca.crt"), trusting("CA", "ca.crt"), trusting("other/ca", "ca.crt")}},
		{field: "spec.target.service", says: "@spec.target.service.caRef.key: caRef.key must be an entry of a ConfigMap: letters, digits, '-', '_' and '.'",
			bad: []any{trusting("ca", ""), trusting("ca", "a/b"), trusting("ca", "a b")}},
	})
}

func TestEndpointRoutes(t *testing.T) {
	named := func(name any) map[string]any {
		return map[string]any{"name": name, "target": map[string]any{"service": map[string]any{"name": "invoicing", "port": "http"}}}
	}
	many := make([]any, 17)
	for i := range many {
		many[i] = named(strings.Repeat("a", i+1))
	}
	matching := func(match any) []any {
		route := named("invoices")
		route["match"] = match
		return []any{route}
	}
	types := func(list ...any) []any { return matching(map[string]any{"types": list}) }
	patterns := make([]any, 65)
	for i := range patterns {
		patterns[i] = strings.Repeat("*", i+1)
	}
	expression := func(text string) []any { return matching(map[string]any{"expression": text}) }
	const field = "spec.routes"
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: field, says: "spec.routes in body should have at least 1 items", good: []any{[]any{named("invoices")}, many[:16]}, bad: []any{[]any{}}},
		{field: field, says: "@spec.routes: Too many: 17: must have at most 16 items", bad: []any{many}},
		{field: field, says: `@spec.routes[1]: Duplicate value: {"name":"a"}`, bad: []any{[]any{named("a"), named("a")}}},
		{field: field, says: "@spec.routes[0].name: " + routeNameRule, good: []any{[]any{named("1-a")}},
			bad: []any{[]any{named("")}, []any{named("Invoices")}, []any{named("a.b")}, []any{named("-a")}, []any{named("a_b")}}},
		{field: field, says: "@spec.routes[0].target: Required value", bad: []any{[]any{map[string]any{"name": "a"}}}},
		{field: field, says: "@spec.routes[0].match.types: spec.routes[0].match.types in body should have at least 1 items",
			good: []any{matching(map[string]any{}), types("invoice.*", "*", "a b"), types(patterns[:64]...)}, bad: []any{matching(map[string]any{"types": []any{}})}},
		{field: field, says: "@spec.routes[0].match.types: Too many: 65: must have at most 64 items", bad: []any{types(patterns...)}},
		{field: field, says: "@spec.routes[0].match.types[0]: spec.routes[0].match.types[0] in body should be at least 1 chars long", bad: []any{types("")}},
		{field: field, says: "@spec.routes[0].match.types[0]: Too long: may not be more than 256 bytes", bad: []any{types(strings.Repeat("a", 257))}},
		{field: field, says: `@spec.routes[0].match.types[1]: Duplicate value: "a"`, bad: []any{types("a", "a")}},
		// What an expression means is said in the status.
		{field: field, says: "@spec.routes[0].match.expression: spec.routes[0].match.expression in body should be at least 1 chars long",
			good: []any{expression("event.body.livemode"), expression("not (CEL"), expression(strings.Repeat("a", 2048))}, bad: []any{expression("")}},
		{field: field, says: "@spec.routes[0].match.expression: Too long: may not be more than 2048 bytes", bad: []any{expression(strings.Repeat("a", 2049))}},
	})
}

// Routes alone will do, and one target has to answer where the answer counts.
func TestEndpointRoutesAndTarget(t *testing.T) {
	routesOnly := with(t, manifest(t, fullEndpoint), "spec.target", nil)
	check(t, routesOnly, []rule{
		{field: "spec.routes", says: "@spec: spec needs a target, or routes, or both: target gets the events that no route matches", bad: []any{nil}},
		{field: "spec.delivery", says: "@spec: routes need delivery.mode Async: with Sync, the answer of one target is the answer to the sender",
			good: []any{nil, map[string]any{"mode": "Async"}}, bad: []any{map[string]any{"mode": "Sync"}}},
	})
}

func TestEndpointDelivery(t *testing.T) {
	notDurations := func(outside ...any) []any {
		return append(outside, "", "10", "1 s", "1d", "-10s", "ten seconds", "1m-1s", "PT10S", "1s\n")
	}
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "spec.delivery.mode", says: `Unsupported value: "sync": supported values: "Async", "Sync"`, good: []any{"Async", "Sync"}, bad: []any{"sync"}},
		{field: "spec.delivery", says: "delivery.timeout must be at most 30s with mode Sync, because the sender waits",
			good: []any{map[string]any{"mode": "Sync", "timeout": "30s"}, map[string]any{"mode": "Sync"}, map[string]any{"mode": "Async", "timeout": "31s"}},
			bad:  []any{map[string]any{"mode": "Sync", "timeout": "31s"}, map[string]any{"mode": "Sync", "timeout": "5m"}}},
		{field: "spec.delivery", says: "delivery.rateLimit has no meaning with mode Sync, where nothing can wait; use limits.rateLimit",
			bad: []any{map[string]any{"mode": "Sync", "rateLimit": map[string]any{"perSecond": int64(5)}}}},
		{field: "spec.delivery.rateLimit", says: "@spec.delivery.rateLimit.perSecond: Required value", bad: []any{map[string]any{"burst": int64(5)}}},
		{field: "spec.delivery.rateLimit", says: "@spec.delivery.rateLimit.perSecond: spec.delivery.rateLimit.perSecond in body should be greater than or equal to 1",
			good: []any{map[string]any{"perSecond": int64(1)}, map[string]any{"perSecond": int64(100), "burst": int64(1)}}, bad: []any{map[string]any{"perSecond": int64(0)}}},
		{field: "spec.delivery.rateLimit", says: "@spec.delivery.rateLimit.burst: spec.delivery.rateLimit.burst in body should be greater than or equal to 1",
			bad: []any{map[string]any{"perSecond": int64(1), "burst": int64(0)}}},
		{field: "spec.delivery.timeout", says: timeoutRule,
			good: []any{"100ms", "10s", "1.5s", "1m30s", "5m", "300s"},
			bad:  notDurations("0s", "99ms", "301s", "1h")},
		{field: "spec.delivery.timeout", says: `spec.delivery.timeout in body must be of type string: "integer"`, bad: []any{int64(10)}},
		{field: "spec.delivery.maxInFlight", says: "spec.delivery.maxInFlight in body should be greater than or equal to 1", good: []any{int64(1), int64(1000)}, bad: []any{int64(0), int64(-5)}},
		{field: "spec.delivery.maxInFlight", says: "spec.delivery.maxInFlight in body should be less than or equal to 1000", bad: []any{int64(1001)}},
		{field: "spec.delivery.retry.maxAttempts", says: "spec.delivery.retry.maxAttempts in body should be greater than or equal to 1", good: []any{int64(1), int64(100)}, bad: []any{int64(0)}},
		{field: "spec.delivery.retry.maxAttempts", says: "spec.delivery.retry.maxAttempts in body should be less than or equal to 100", bad: []any{int64(101)}},
		{field: "spec.delivery.retry.minBackoff", says: minBackoffRule, good: []any{"100ms", "1h", "60m"}, bad: notDurations("99ms")},
		{field: "spec.delivery.retry.maxBackoff", says: maxBackoffRule, good: []any{"1s", "24h", "86400000ms"}, bad: notDurations("24h1s", "25h")},
		{field: "spec.delivery.retry.maxAge", says: maxAgeRule, good: []any{"1m", "720h", "2592000s"}, bad: notDurations("59s", "721h")},
		{field: "spec.delivery.retry", says: "delivery.retry.minBackoff (2m) must not be longer than maxBackoff (1m)",
			good: []any{map[string]any{"minBackoff": "1m", "maxBackoff": "60s"}},
			bad:  []any{map[string]any{"minBackoff": "2m", "maxBackoff": "1m"}}},
		// The default of the other one counts, and the sentence shows it.
		{field: "spec.delivery.retry.maxBackoff", says: "@spec.delivery.retry: delivery.retry.minBackoff (1s) must not be longer than maxBackoff (500ms)", bad: []any{"500ms"}},
	})
}

func TestEndpointDeduplication(t *testing.T) {
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "spec.deduplication.window", says: windowRule, good: []any{"1m", "72h", "720h"}, bad: []any{"", "30s", "721h", "3d", "-72h", "72"}},
		{field: "spec.deduplication.replayProtection", says: `Unsupported value: "strict": supported values: "Auto", "Strict", "Off"`,
			good: []any{"Auto", "Strict", "Off"}, bad: []any{"strict"}},
	})
}

func TestEndpointLimits(t *testing.T) {
	networks := func(n ...any) any { return n }
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "spec.limits.maxBodyBytes", says: maxBodyBytesRule,
			good: []any{"1", int64(1), "1Ki", "25Mi", "64Mi", "67108864", int64(64 << 20), "1e3"},
			// 25m is a thousandth of 25 bytes, which nobody means.
			bad: []any{"0", int64(0), int64(-1), "-1Mi", "0.5", "25m", "65Mi", "1Gi", int64(64<<20 + 1)}},
		{field: "spec.limits.sourceRanges", says: networkRule,
			good: []any{networks(), networks("192.30.252.0/22"), networks("0.0.0.0/0", "::/0"), networks("203.0.113.7/32", "2001:db8::1/128")},
			bad: []any{
				networks(""), networks("192.30.252.0"), networks("192.30.252.0/33"), networks("192.30.252.0/-1"), networks("192.30.252/22"),
				networks("github.com"), networks("192.30.252.0 - 192.30.255.255"), networks("::ffff:192.0.2.0/120"), networks("fe80::1%eth0/64"),
				networks("192.30.252.0/022"),
			}},
		{field: "spec.limits.sourceRanges", says: networkPrefixRule, bad: []any{networks("203.0.113.7/24"), networks("10.1.2.3/8"), networks("2001:db8::1/64")}},
		{field: "spec.limits.sourceRanges", says: `@spec.limits.sourceRanges[1]: Duplicate value: "10.0.0.0/8"`, bad: []any{networks("10.0.0.0/8", "10.0.0.0/8")}},
		{field: "spec.limits.rateLimit", says: "@spec.limits.rateLimit.perSecond: Required value", bad: []any{map[string]any{"burst": int64(5)}}},
		{field: "spec.limits.rateLimit", says: "@spec.limits.rateLimit.perSecond: spec.limits.rateLimit.perSecond in body should be greater than or equal to 1",
			good: []any{map[string]any{"perSecond": int64(1)}}, bad: []any{map[string]any{"perSecond": int64(0)}}},
		{field: "spec.limits.rateLimit", says: "@spec.limits.rateLimit.perSecond: spec.limits.rateLimit.perSecond in body should be less than or equal to 100000",
			bad: []any{map[string]any{"perSecond": int64(100001)}}},
		{field: "spec.limits.rateLimit", says: "@spec.limits.rateLimit.burst: spec.limits.rateLimit.burst in body should be greater than or equal to 1",
			bad: []any{map[string]any{"perSecond": int64(1), "burst": int64(0)}}},
		{field: "spec.limits.rateLimit", says: "@spec.limits.rateLimit.burst: spec.limits.rateLimit.burst in body should be less than or equal to 1000000",
			bad: []any{map[string]any{"perSecond": int64(1), "burst": int64(1000001)}}},
	})
}

func TestEndpointLengths(t *testing.T) {
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "spec.provider", says: "Too long: may not be more than 63 bytes", bad: []any{strings.Repeat("a", 64)}},
		{field: "spec.path", says: "Too long: may not be more than 256 bytes", bad: []any{"/" + strings.Repeat("a", 256)}},
		{field: "spec.secretRef.key", says: "Too long: may not be more than 253 bytes", bad: []any{strings.Repeat("a", 254)}},
		{field: "spec.target.service.name", says: "Too long: may not be more than 63 bytes", bad: []any{strings.Repeat("a", 64)}},
		{field: "spec.target.service.path", says: "Too long: may not be more than 1024 bytes", bad: []any{"/" + strings.Repeat("a", 1024)}},
	})
}

func TestEndpointPaused(t *testing.T) {
	check(t, manifest(t, minimalEndpoint), []rule{
		{field: "spec.paused", says: `spec.paused in body must be of type boolean: "string"`, good: []any{nil, true, false}, bad: []any{"yes"}},
	})
}

// What is misspelt is refused by name, instead of being ignored.
func TestEndpointUnknownFields(t *testing.T) {
	unknown := func(field string) string {
		return `@WebhookEndpoint in version "v1alpha1" cannot be handled as a WebhookEndpoint: strict decoding error: unknown field "` + field + `"`
	}
	var rules []rule
	for _, field := range []string{"spec.secret", "spec.targets", "spec.delivery.retries", "spec.target.url", "spec.target.service.namespace", "spec.limits.maxBodySize"} {
		rules = append(rules, rule{field: field, says: unknown(field), bad: []any{"x"}})
	}
	check(t, manifest(t, minimalEndpoint), rules)
}

func TestEndpointMayBeFull(t *testing.T) {
	full := manifest(t, fullEndpoint)
	stored, err := create(t, full)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full.Object["spec"], stored.Object["spec"]); diff != "" {
		t.Errorf("the spec was changed (-written +stored):\n%s", diff)
	}
}

func TestEndpointDefaults(t *testing.T) {
	stored, err := create(t, manifest(t, minimalEndpoint))
	if err != nil {
		t.Fatal(err)
	}
	want := manifest(t, `
provider: stripe
secretRef: {name: stripe-webhook, key: secret}
target: {service: {name: billing-api, port: 8080, path: /, scheme: http}, signature: AsSent, credentials: Remove}
`)
	if diff := cmp.Diff(want.Object, stored.Object["spec"]); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// A struct that is begun is filled up.
func TestEndpointDefaultsOfBegunStructs(t *testing.T) {
	base := manifest(t, minimalEndpoint)
	for _, c := range []struct{ begun, want string }{
		{"delivery", `{mode: Async, timeout: 10s, maxInFlight: 32}`},
		{"delivery.retry", `{maxAttempts: 12, minBackoff: 1s, maxBackoff: 1h, maxAge: 72h}`},
		{"secretRotation", `{grace: 24h}`},
		{"deduplication", `{replayProtection: Auto}`},
		{"limits", `{}`},
	} {
		t.Run(c.begun, func(t *testing.T) {
			field := "spec." + c.begun
			stored, err := create(t, with(t, base, field, map[string]any{}))
			if err != nil {
				t.Fatal(err)
			}
			got := valueAt(t, stored, field)
			if diff := cmp.Diff(manifest(t, c.want).Object, got); diff != "" {
				t.Errorf("defaults (-want +got):\n%s", diff)
			}
		})
	}
}
