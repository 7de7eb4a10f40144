package cel

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/provider"
	"sallyport.dev/sallyport/receiver/verify"
)

// The smallest provider.
const minimalProvider = `
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookProvider
metadata: {name: in-house}
spec:
  verify:
  - name: v1
    algorithm: HMAC-SHA256
    signature: {from: [{header: X-Signature}], encoding: Hex}
    content: "{body}"
  identity: {id: ["{json:/id}"]}
  tests:
  - {name: unsigned, secret: example, request: {}, expect: {rejected: MissingSignature}}
`

// A provider that says everything that goes together.
const fullProvider = `
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookProvider
metadata: {name: in-house}
spec:
  displayName: In-house
  verify:
  - name: v1
    methods: [POST, PUT]
    bodyFormat: JSONObject
    contentEncoding: Decoded
    mediaType: application/json
    algorithm: HMAC-SHA512
    key: ["trim:key_", nfkd, hex]
    keyID: {header: X-Key-Id}
    signature:
      from: [{header: X-Signature}, {query: signature}, {form: signature}, {json: /signature}]
      keyValue: {separator: ",", equals: "=", signatureKey: v1, timestampKey: t, trimSpace: true}
      encoding: Base64URL
    content: "{id}.{timestamp}.{url}.{body}"
    alternativeContent: ["{id}.{timestamp}.{body}"]
    urlForms: [AsGiven, DefaultPort, NoPort]
    id: {header: X-Id}
    timestamp: {unit: Milliseconds, tolerance: 5m}
    require: [{header: X-Version, equals: "2"}, {json: /topic, parameter: topic, optional: true}]
    when: [{header: X-Event}, {query: kind, pattern: "a|b"}, {header: X-Test, absent: true}]
  - name: digest
    algorithm: Ed25519
    signature: {from: [{header: X-Signature-2}], repeated: true, prefix: "ed=", prefixOptional: true, encoding: Base64}
    content: "{header:X-Digest}"
    bodyDigest: {from: {header: X-Digest}, encoding: Hex, optional: true}
  - name: listed
    algorithm: HMAC-SHA256
    signature: {from: [{header: X-Signature-3}], list: {separator: " ", prefix: "v1,", prefixOptional: true, trimSpace: true}, encoding: Base64}
    content: "{timestamp}"
    timestamp: {from: {header: X-Time}, unit: Seconds}
    bodyUnsigned: true
  - name: paired
    algorithm: HMAC-SHA256
    signature: {from: [{header: X-Signature-4}], pairs: {separator: "&", equals: "|"}, encoding: Hex}
    content: "{body}"
  - name: token
    algorithm: Token
    signature: {from: [{header: Authorization}], prefix: "Bearer ", encoding: Text}
  - name: jwt
    algorithm: JWT
    keySource: {jwksURL: "https://example.com/{param:topic}/jwks.json"}
    jwt:
      algorithms: [RS256, ES256]
      claims: [{claim: /iss, values: ["https://example.com"]}, {claim: /aud, parameter: topic}, {claim: /url, urlDigest: Base64URL}]
      maxAge: 5m
    signature: {from: [{header: X-Token}], encoding: Text}
    bodyDigest: {from: {claim: /body}, encoding: Hex, absentWhenEmpty: true}
  - name: certificate
    algorithm: RSA-SHA1
    keySource: {certificate: {from: {json: /SigningCertURL}, hostPattern: 'sns\.[a-z0-9-]+\.amazonaws\.com', pathPattern: '/[0-9a-f]{32}\.pem', dnsNames: [sns.amazonaws.com], issuers: {hostPattern: 'crt\.example\.com', pathPattern: '/a\.cer'}}}
    signature: {from: [{json: /Signature}], encoding: Base64}
    content: "{members:Message,MessageId}"
  - name: config
    algorithm: RSA-SHA1
    keySource: {publicKey: {url: "https://example.com/config", json: /key}}
    signature: {from: [{header: Signature}], encoding: Base64}
    signedHeaders: {from: {header: X-Signed-Headers}, required: [host]}
    content: "{method}{request_uri}{signed_headers}{form:payload}"
  identity: {id: ["{id}", "{body_sha256}"], type: ["{json:/type}"]}
  parameters:
  - {name: topic, description: The topics that may send., required: true}
  - {name: verify_token, description: What the handshake brings along., sensitive: true}
  handshakes:
  - name: challenge
    kind: Challenge
    method: GET
    match: [{query: hub.mode, equals: subscribe}]
    unsigned: true
    guard: [{query: hub.verify_token, parameter: verify_token}, {form: kind, equals: hello}, {claim: /sub}]
    answer:
      status: 201
      contentType: text/plain
      headers: [{name: X-Hello, value: "{query:hello}"}]
      body: "{query:hub.challenge}"
  - name: confirmation
    method: POST
    match: [{json: /Type, equals: SubscriptionConfirmation}]
    answer: {status: 200, json: [{name: response, value: "{json:/token|hmac_hex}"}]}
    confirm: {from: {json: /SubscribeURL}, hostPattern: 'sns\.[a-z0-9-]+\.amazonaws\.com', pathPattern: '/', queryPattern: 'Token=[0-9a-f]+'}
  - {name: probe, kind: Probe, method: HEAD, unsigned: true, answer: {status: 200}}
  jsonFormFields: [payload, data]
  responses:
    success: {status: 202, contentType: text/xml, body: <Response/>}
    unauthenticated: 403
    malformed: 422
    overloaded: 503
    forbidden: 599
    tooLarge: 400
    invalid: 499
    refusalBody: Empty
  deduplication: {window: 72h, signedContentUnique: true, reason: Every body has a number.}
  maxBodyBytes: 64Mi
  facts:
    scheme: Official
    delivery: ThirdParty
    ackSeconds: 10
    retry: hourly
    success: "2xx"
    secret: shown once
    events: "a, b"
    notes: none
    docs: ["https://example.com/hooks"]
    methods: {confidence: Official, source: "https://example.com/hooks"}
    id: {perEvent: Unique, overRetries: Same, confidence: ThirdParty, source: "https://example.com/sdk"}
    retries: {signature: Kept, within: 72h, confidence: Unverified, source: No document says it.}
    bodies: {confidence: Official, source: "https://example.com/limits"}
    answers: {confidence: Official, source: "https://example.com/answers"}
    handshakes: {confidence: Official, source: "https://example.com/handshakes"}
  tests:
  - name: signed
    secret: example
    parameters: [{name: topic, values: [a]}]
    key: '{"keys":[]}'
    now: "2026-01-02T03:04:05Z"
    request:
      method: POST
      url: https://hooks.example.com/a/b?c=d
      headers: [{name: X-Signature, value: ""}, {name: X-Signature, value: a}]
      bodyBase64: e30=
    expect: {scheme: v1, id: "1", type: a}
  - {name: unsigned, secret: example, request: {method: POST, body: "{}"}, expect: {rejected: MissingSignature}}
  - name: hello
    secret: example
    request: {method: GET, url: "https://hooks.example.com/a/b?hub.challenge=1"}
    expect: {handshake: {name: challenge, status: 201, headers: [{name: X-Hello, value: you}], body: "1", confirm: "https://sns.eu-west-1.amazonaws.com/"}}
`

const (
	scheme     = "spec.verify[0]"
	signature  = "spec.verify[0].signature"
	example    = "spec.tests[0]"
	exactlyOne = "exactly one of the fields in [header query form json claim] must be set"
	atMostOne  = "at most one of the fields in [equals pattern parameter absent] may be set"
)

func unsupported(value, supported string) string {
	return `Unsupported value: "` + value + `": supported values: ` + supported
}

type fields = map[string]any

type list = []any

func TestProviderName(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{{
		field: "metadata.name", says: "@<nil>: metadata.name must consist of lower case letters, digits and '-', and have at most 63 characters",
		good: []any{"github", "1password", strings.Repeat("a", 63)},
		bad:  []any{"github.com", strings.Repeat("a", 64)},
	}})
}

func TestProviderScheme(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{
		{field: "spec.verify", says: missing, bad: []any{nil}},
		{field: "spec.verify", says: "spec.verify in body should have at least 1 items", bad: []any{list{}}},
		{field: scheme + ".name", says: missing, bad: []any{nil}},
		{field: scheme + ".name", says: "spec.verify[0].name in body should be at least 1 chars long", bad: []any{""}},
		{field: scheme + ".algorithm", says: missing, bad: []any{nil}},
		{field: scheme + ".algorithm", says: unsupported("MD5", `"HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "SHA256", "Ed25519", "ECDSA-P256-SHA256", "RSA-SHA1", "RSA-SHA256", "Token", "Basic", "JWT"`),
			good: []any{"HMAC-SHA1", "HMAC-SHA512", "Ed25519", "ECDSA-P256-SHA256", "RSA-SHA1", "RSA-SHA256"}, bad: []any{"MD5"}},
		{field: scheme + ".key", says: "@spec.verify[0].key[0]: a step of key is base64, hex, sha1, nfkd, or trim:<prefix>, for example trim:whsec_",
			good: []any{list{"trim:whsec_", "base64"}, list{"hex"}, list{"sha1", "nfkd"}},
			bad:  []any{list{"sha256"}, list{""}, list{"trim:"}, list{"Base64"}}},
		{field: scheme + ".urlForms", says: "@spec.verify[0].urlForms[0]: " + unsupported("NoHost", `"AsGiven", "DefaultPort", "NoPort", "ReservedDecoded", "ApostropheEscaped"`),
			good: []any{list{"AsGiven", "NoPort"}, list{"ReservedDecoded", "ApostropheEscaped"}}, bad: []any{list{"NoHost"}}},
		{field: scheme + ".require", says: "@spec.verify[0].require[0]: " + atMostOne,
			good: []any{list{fields{"header": "A", "equals": "1"}}, list{fields{"json": "/a", "parameter": "p"}}, list{fields{"header": "A"}}},
			bad:  []any{list{fields{"header": "A", "equals": "1", "pattern": "1"}}}},
		{field: scheme + ".methods", says: "@spec.verify[0].methods[0]: " + unsupported("OPTIONS", `"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"`),
			good: []any{nil, list{"POST"}, list{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}}, bad: []any{list{"OPTIONS"}}},
		{field: scheme + ".methods", says: "@spec.verify[0].methods[0]: " + unsupported("post", `"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"`), bad: []any{list{"post"}}},
		{field: scheme + ".methods", says: "spec.verify[0].methods in body should have at least 1 items", bad: []any{list{}}},
		{field: scheme + ".methods", says: `@spec.verify[0].methods[1]: Duplicate value: "PUT"`, bad: []any{list{"PUT", "PUT"}}},
		{field: scheme + ".bodyFormat", says: unsupported("XML", `"Any", "JSON", "JSONObject", "JSONArray", "Form"`),
			good: []any{nil, "Any", "JSON", "JSONObject", "JSONArray", "Form"}, bad: []any{"XML"}},
		{field: scheme + ".contentEncoding", says: unsupported("gzip", `"AsSent", "Decoded"`), good: []any{nil, "AsSent", "Decoded"}, bad: []any{"gzip"}},
		{field: scheme + ".bodyDigest", says: "@spec.verify[0].bodyDigest.encoding: Required value", bad: []any{fields{"from": fields{"header": "A"}}}},
	})
}

func TestProviderContent(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{
		{field: scheme + ".content", says: "@spec.verify[0]: content is missing: say what is signed, for example {body}; only Token and Basic sign nothing", bad: []any{nil}},
		{field: scheme + ".content", says: "@spec.verify[0]: {secret} belongs into the content of the algorithm SHA256, and of no other",
			good: []any{"{method} {url} {body}"}, bad: []any{"{secret}{body}"}},
		{field: scheme + ".algorithm", says: "@spec.verify[0]: {secret} belongs into the content of the algorithm SHA256, and of no other", bad: []any{"SHA256"}},
		{field: scheme + ".content", says: "@spec.verify[0]: content contains {timestamp}: say in timestamp where that is and how it is written", bad: []any{"{timestamp}.{body}"}},
		{field: scheme + ".content", says: "@spec.verify[0]: content contains {id} if, and only if, id says where that is; an id that is not signed belongs into identity.id, as {header:X-Id}", bad: []any{"{id}.{body}"}},
		{field: scheme + ".id", says: "@spec.verify[0]: content contains {id} if, and only if, id says where that is; an id that is not signed belongs into identity.id, as {header:X-Id}", bad: []any{fields{"header": "X-Id"}}},
	})
}

// Schemes without a signature have nothing of what signatures have.
func TestProviderCredential(t *testing.T) {
	token := with(t, with(t, manifest(t, minimalProvider), scheme+".content", nil), signature+".encoding", "Text")
	const meaningless = "@spec.verify[0]: Token and Basic sign nothing: content, key, keyID, keySource, id, timestamp and bodyDigest have no meaning for them"
	check(t, with(t, token, scheme+".algorithm", "Token"), []rule{
		{field: scheme + ".algorithm", says: missing, good: []any{"Basic"}},
		{field: scheme + ".content", says: meaningless, bad: []any{"{body}"}},
		{field: scheme + ".key", says: meaningless, bad: []any{list{"base64"}}},
		{field: scheme + ".keyID", says: meaningless, bad: []any{fields{"header": "X-Key"}}},
		{field: signature + ".encoding", says: "@spec.verify[0]: signature.encoding must be Text for Token, Basic and JWT: what is sent is taken as it is", bad: []any{"Hex", "Base64"}},
	})
}

// A token is what was signed, and carries its own time and id.
func TestProviderToken(t *testing.T) {
	jwt := func(more fields) fields {
		more["algorithms"] = list{"ES256"}
		return more
	}
	token := with(t, with(t, manifest(t, minimalProvider), scheme+".content", nil), signature+".encoding", "Text")
	token = with(t, with(t, token, scheme+".algorithm", "JWT"), scheme+".jwt", jwt(fields{}))
	const (
		meaningless = "@spec.verify[0]: a JWT holds what is signed: content, keyID, id and timestamp have no meaning for it"
		mixed       = "@spec.verify[0].jwt.algorithms: jwt.algorithms must not mix HS256 with others: a public key is no secret"
		claims      = scheme + ".jwt.claims"
	)
	check(t, token, []rule{
		{field: scheme + ".jwt", says: "@spec.verify[0]: jwt says what the token must be for the algorithm JWT, and has no meaning for others", bad: []any{nil}},
		{field: scheme + ".jwt", says: "@spec.verify[0].jwt.algorithms: Required value", bad: []any{fields{}}},
		{field: scheme + ".content", says: meaningless, bad: []any{"{body}"}},
		{field: scheme + ".keyID", says: meaningless, bad: []any{fields{"header": "X-Key"}}},
		{field: scheme + ".timestamp", says: meaningless, bad: []any{fields{"from": fields{"header": "X-Time"}}}},
		{field: scheme + ".key", says: missing, good: []any{list{"base64"}}},
		{field: scheme + ".jwt.algorithms", says: mixed, good: []any{list{"HS256"}, list{"RS256", "ES256"}}, bad: []any{list{"HS256", "RS256"}}},
		{field: scheme + ".jwt.algorithms", says: "@spec.verify[0].jwt.algorithms[0]: " + unsupported("none", `"HS256", "RS256", "ES256"`), bad: []any{list{"none"}}},
		{field: scheme + ".jwt.maxAge", says: "jwt.maxAge must be a duration from 1s to 24h, for example 5m", good: []any{"1s", "24h"}, bad: []any{"0s", "25h", "5", "-1m", ""}},
		{field: claims, says: "@spec.verify[0].jwt.claims[0]: exactly one of the fields in [values parameter urlDigest] must be set",
			good: []any{list{fields{"claim": "/aud", "values": list{"a"}}}, list{fields{"claim": "/aud", "parameter": "audience"}}, list{fields{"claim": "/url", "urlDigest": "Hex"}}},
			bad:  []any{list{fields{"claim": "/aud"}}, list{fields{"claim": "/aud", "values": list{"a"}, "parameter": "audience"}}}},
		{field: claims, says: "@spec.verify[0].jwt.claims[0].claim: claim must be a JSON pointer, for example /aud", bad: []any{list{fields{"claim": "aud", "values": list{"a"}}}}},
		{field: claims, says: "@spec.verify[0].jwt.claims[0].values: spec.verify[0].jwt.claims[0].values in body should have at least 1 items", bad: []any{list{fields{"claim": "/aud", "values": list{}}}}},
	})
	check(t, manifest(t, minimalProvider), []rule{
		{field: scheme + ".jwt", says: "@spec.verify[0]: jwt says what the token must be for the algorithm JWT, and has no meaning for others", bad: []any{jwt(fields{})}},
		{field: scheme + ".keyID", says: "@spec.verify[0].keyID.claim: claim must be a JSON pointer, for example /jti", bad: []any{fields{"claim": "jti"}}},
	})
}

func TestProviderKeySource(t *testing.T) {
	const source = scheme + ".keySource"
	certificate := func(change fields) fields {
		all := fields{"from": fields{"json": "/url"}, "hostPattern": `sns\.example\.com`, "pathPattern": `/a\.pem`, "dnsNames": list{"example.com"}}
		for name, value := range change {
			if all[name] = value; value == nil {
				delete(all, name)
			}
		}
		return fields{"certificate": all}
	}
	check(t, manifest(t, minimalProvider), []rule{
		{field: source, says: "exactly one of the fields in [jwksURL publicKey certificate] must be set",
			bad: []any{fields{}, fields{"jwksURL": "https://example.com/jwks", "publicKey": fields{"url": "https://example.com/key"}}}},
		{field: source + ".jwksURL", says: "jwksURL must be a whole https URL, for example https://example.com/.well-known/jwks.json",
			good: []any{"https://example.com/", "https://example.com:8443/a?b=c", "https://example.com/{param:team}/jwks.json"},
			bad: []any{"", "http://example.com/jwks", "https://example.com", "https:///jwks", "example.com/jwks", "https://{param:host}/jwks", "https://a.{param:host}/jwks",
				"ftp://example.com/jwks", " https://example.com/jwks", "https://example.com/\njwks"}},
		{field: source + ".publicKey", says: "@spec.verify[0].keySource.publicKey.url: Required value", bad: []any{fields{}}},
		{field: source + ".publicKey.url", says: "url must be a whole https URL, for example https://example.com/keys", good: []any{"https://example.com/keys"}, bad: []any{"http://example.com/keys", "https://example.com"}},
		{field: source + ".publicKey", says: "@spec.verify[0].keySource.publicKey.json: json must be a JSON pointer, for example /config/public_key",
			good: []any{fields{"url": "https://example.com/keys", "json": "/a/b"}}, bad: []any{fields{"url": "https://example.com/keys", "json": "a.b"}}},
		{field: source, says: "@spec.verify[0].keySource.certificate.hostPattern: Required value",
			good: []any{certificate(nil), certificate(fields{"dnsNames": list{"example.com", "sns.{region}.example.com"}}), certificate(fields{"issuers": fields{"hostPattern": "a", "pathPattern": "/a"}})},
			bad:  []any{certificate(fields{"hostPattern": nil})}},
		{field: source, says: "@spec.verify[0].keySource.certificate.hostPattern: spec.verify[0].keySource.certificate.hostPattern in body should be at least 1 chars long",
			bad: []any{certificate(fields{"hostPattern": ""})}},
		{field: source, says: "@spec.verify[0].keySource.certificate.pathPattern: Required value", bad: []any{certificate(fields{"pathPattern": nil})}},
		{field: source, says: "@spec.verify[0].keySource.certificate.dnsNames: Required value", bad: []any{certificate(fields{"dnsNames": nil})}},
		{field: source, says: "@spec.verify[0].keySource.certificate.dnsNames: spec.verify[0].keySource.certificate.dnsNames in body should have at least 1 items",
			bad: []any{certificate(fields{"dnsNames": list{}})}},
		{field: source, says: `@spec.verify[0].keySource.certificate.dnsNames[1]: Duplicate value: "a.example"`, bad: []any{certificate(fields{"dnsNames": list{"a.example", "a.example"}})}},
		{field: source, says: "@spec.verify[0].keySource.certificate.issuers.hostPattern: Required value", bad: []any{certificate(fields{"issuers": fields{"pathPattern": "/a"}})}},
		{field: source, says: "@spec.verify[0].keySource.certificate.issuers.pathPattern: Required value", bad: []any{certificate(fields{"issuers": fields{"hostPattern": "a"}})}},
		{field: scheme + ".signedHeaders", says: "@spec.verify[0].signedHeaders.from: Required value",
			good: []any{fields{"from": fields{"header": "X-Signed"}}, fields{"from": fields{"header": "X-Signed"}, "required": list{"host"}}}, bad: []any{fields{}, fields{"required": list{"host"}}}},
		{field: scheme + ".bodyDigest", says: "at most one of the fields in [optional absentWhenEmpty] may be set",
			good: []any{fields{"from": fields{"header": "A"}, "encoding": "Hex", "absentWhenEmpty": true}},
			bad:  []any{fields{"from": fields{"header": "A"}, "encoding": "Hex", "absentWhenEmpty": true, "optional": true}}},
	})
}

func TestProviderCondition(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{
		{field: scheme + ".when", says: "@spec.verify[0].when[0]: " + atMostOne,
			good: []any{list{fields{"header": "A"}}, list{fields{"query": "a", "equals": "1"}}, list{fields{"form": "a", "pattern": "x+"}}, list{fields{"json": "/a", "parameter": "a"}}},
			bad: []any{list{fields{"header": "A", "equals": "1", "pattern": "1"}}, list{fields{"header": "A", "pattern": "1", "parameter": "a"}},
				list{fields{"header": "A", "equals": "1", "absent": true}}, list{fields{"header": "A", "parameter": "a", "absent": true}}}},
		{field: scheme + ".require", says: "@spec.verify[0].require[0]: optional needs parameter: it lets the condition hold where the endpoint gives the parameter no value",
			good: []any{list{fields{"header": "A", "parameter": "a", "optional": true}}, list{fields{"header": "A", "parameter": "a", "optional": false}},
				list{fields{"header": "A", "optional": false}}, list{fields{"header": "A", "absent": true}}, list{fields{"json": "/a", "absent": false}}},
			bad: []any{list{fields{"header": "A", "optional": true}}, list{fields{"header": "A", "equals": "1", "optional": true}},
				list{fields{"header": "A", "absent": true, "optional": true}}}},
		{field: scheme + ".when", says: "@spec.verify[0].when[0]: exactly one of the fields in [header query form json claim] must be set",
			bad: []any{list{fields{}}, list{fields{"equals": "1"}}, list{fields{"header": "A", "query": "a"}}}},
		{field: scheme + ".when", says: "spec.verify[0].when in body should have at least 1 items", bad: []any{list{}}},
		{field: scheme + ".when", says: "Too many: 5: must have at most 4 items", bad: []any{list{fields{"header": "A"}, fields{"header": "B"}, fields{"header": "C"}, fields{"header": "D"}, fields{"header": "E"}}}},
	})
}

func TestProviderParameters(t *testing.T) {
	parameter := func(name string) list { return list{fields{"name": name, "description": "What it is."}} }
	check(t, manifest(t, minimalProvider), []rule{
		{field: "spec.parameters", says: "@spec.parameters[0]: the name of a parameter must start with a letter and consist of lower case letters, digits and '_', for example webhook_id",
			good: []any{parameter("a"), parameter("webhook_id"), parameter("x1"), list{fields{"name": "a", "description": "A.", "required": true, "sensitive": true}}},
			bad:  []any{parameter("Webhook"), parameter("webhook-id"), parameter("1a"), parameter("a_"), parameter("a b")}},
		{field: "spec.parameters", says: "@spec.parameters[0].description: Required value", bad: []any{list{fields{"name": "a"}}}},
		{field: "spec.parameters", says: `@spec.parameters[1]: Duplicate value: {"name":"a"}`, bad: []any{append(parameter("a"), parameter("a")...)}},
	})
}

func TestProviderHandshakes(t *testing.T) {
	handshake := func(more fields) list {
		all := fields{"name": "hello", "method": "GET", "answer": fields{"body": "{query:a}"}}
		maps.Copy(all, more)
		return list{all}
	}
	answer := func(answer fields) list { return handshake(fields{"answer": answer}) }
	confirm := func(confirm fields) list {
		confirm["from"] = fields{"json": "/url"}
		return handshake(fields{"confirm": confirm})
	}
	const field = "spec.handshakes"
	check(t, manifest(t, minimalProvider), []rule{
		{field: field, says: "@spec.handshakes[0].method: " + unsupported("PUT", `"GET", "HEAD", "POST", "OPTIONS"`),
			good: []any{handshake(nil), handshake(fields{"method": "OPTIONS"}), handshake(fields{"unsigned": true, "guard": list{fields{"query": "a"}}})},
			bad:  []any{handshake(fields{"method": "PUT"})}},
		{field: field, says: "@spec.handshakes[0].kind: " + unsupported("Ping", `"Challenge", "Probe"`),
			good: []any{handshake(fields{"kind": "Challenge"}), handshake(fields{"kind": "Probe", "method": "HEAD", "unsigned": true, "answer": fields{}})},
			bad:  []any{handshake(fields{"kind": "Ping"})}},
		{field: field, says: "@spec.handshakes[0].answer: Required value", bad: []any{list{fields{"name": "hello", "method": "GET"}}}},
		{field: field, says: "@spec.handshakes[0].name: Required value", bad: []any{list{fields{"method": "GET", "answer": fields{}}}}},
		{field: field, says: "@spec.handshakes[0].answer: at most one of the fields in [body json] may be set",
			good: []any{answer(fields{}), answer(fields{"status": int64(204)}), answer(fields{"json": list{fields{"name": "a", "value": "{query:a}"}}})},
			bad:  []any{answer(fields{"body": "a", "json": list{fields{"name": "a", "value": "b"}}})}},
		{field: field, says: "@spec.handshakes[0].answer.status: spec.handshakes[0].answer.status in body should be less than or equal to 299", bad: []any{answer(fields{"status": int64(302)})}},
		{field: field, says: "@spec.handshakes[0].answer.status: spec.handshakes[0].answer.status in body should be greater than or equal to 200", bad: []any{answer(fields{"status": int64(100)})}},
		{field: field, says: "@spec.handshakes[0].answer.json[0].value: Required value", bad: []any{answer(fields{"json": list{fields{"name": "a"}}})}},
		{field: field, says: "@spec.handshakes[0].confirm.hostPattern: Required value",
			good: []any{confirm(fields{"hostPattern": "a", "pathPattern": "/"}), confirm(fields{"hostPattern": "a", "pathPattern": "/", "queryPattern": "a=b"})},
			bad:  []any{confirm(fields{"pathPattern": "/"})}},
		{field: field, says: "@spec.handshakes[0].confirm.pathPattern: Required value", bad: []any{confirm(fields{"hostPattern": "a"})}},
		{field: field, says: "@spec.handshakes[0].guard[0]: " + atMostOne,
			bad: []any{handshake(fields{"guard": list{fields{"query": "a", "equals": "1", "parameter": "b"}}})}},
	})
}

func TestProviderResponses(t *testing.T) {
	const (
		field = "spec.responses"
		gone  = " must not be 410: senders delete their subscription on it"
	)
	bounds := func(field, bound string) string { return field + " in body should be " + bound }
	check(t, manifest(t, minimalProvider), []rule{
		{field: field + ".success", says: "@spec.responses.success.status: Required value", good: []any{fields{"status": int64(204)}, fields{"status": int64(200), "body": "ok", "contentType": "text/plain"}}, bad: []any{fields{}, fields{"body": "ok"}}},
		{field: field + ".success", says: "an answer with the status 204 has no body", bad: []any{fields{"status": int64(204), "body": "ok"}}},
		{field: field + ".success", says: "@spec.responses.success.status: " + bounds("spec.responses.success.status", "less than or equal to 299"), bad: []any{fields{"status": int64(302)}, fields{"status": int64(503)}}},
		{field: field + ".unauthenticated", says: "responses.unauthenticated" + gone, good: []any{int64(400), int64(403), int64(499)}, bad: []any{int64(410)}},
		{field: field + ".unauthenticated", says: bounds("spec.responses.unauthenticated", "greater than or equal to 400"), bad: []any{int64(200), int64(399)}},
		{field: field + ".unauthenticated", says: bounds("spec.responses.unauthenticated", "less than or equal to 499"), bad: []any{int64(500)}},
		{field: field + ".malformed", says: "responses.malformed" + gone, good: []any{int64(422)}, bad: []any{int64(410)}},
		{field: field + ".malformed", says: bounds("spec.responses.malformed", "greater than or equal to 400"), bad: []any{int64(202)}},
		{field: field + ".forbidden", says: "responses.forbidden" + gone, good: []any{int64(400), int64(404), int64(599)}, bad: []any{int64(410)}},
		{field: field + ".forbidden", says: bounds("spec.responses.forbidden", "greater than or equal to 400"), bad: []any{int64(202)}},
		{field: field + ".tooLarge", says: "responses.tooLarge" + gone, good: []any{int64(413), int64(503)}, bad: []any{int64(410)}},
		{field: field + ".tooLarge", says: bounds("spec.responses.tooLarge", "less than or equal to 599"), bad: []any{int64(600)}},
		{field: field + ".invalid", says: "responses.invalid" + gone, good: []any{int64(400), int64(422)}, bad: []any{int64(410)}},
		{field: field + ".invalid", says: bounds("spec.responses.invalid", "less than or equal to 499"), bad: []any{int64(500)}},
		{field: field + ".refusalBody", says: unsupported("None", `"Detailed", "Empty"`), good: []any{nil, "Detailed", "Empty"}, bad: []any{"None"}},
		{field: field + ".overloaded", says: "Unsupported value: 500: supported values: \"429\", \"503\"", good: []any{int64(429), int64(503)}, bad: []any{int64(500)}},
	})
}

func TestProviderLocation(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{
		{field: scheme + ".keyID", says: exactlyOne,
			good: []any{fields{"header": "X-Key"}, fields{"query": "key"}, fields{"form": "key"}, fields{"json": "/key/0/id"}},
			bad:  []any{fields{}, fields{"header": "X-Key", "query": "key"}}},
		{field: scheme + ".keyID", says: "@spec.verify[0].keyID.json: json must be a JSON pointer, for example /data/id", bad: []any{fields{"json": "data.id"}, fields{"json": "$.data.id"}}},
		{field: scheme + ".keyID", says: "@spec.verify[0].keyID.header: spec.verify[0].keyID.header in body should be at least 1 chars long", bad: []any{fields{"header": ""}}},
	})
}

func TestProviderSignature(t *testing.T) {
	keyValue := func(separator, equals, signatureKey, timestampKey string) fields {
		return fields{"separator": separator, "equals": equals, "signatureKey": signatureKey, "timestampKey": timestampKey}
	}
	check(t, manifest(t, minimalProvider), []rule{
		{field: signature, says: missing, bad: []any{nil}},
		{field: signature + ".from", says: "spec.verify[0].signature.from in body should have at least 1 items", bad: []any{list{}}},
		{field: signature + ".encoding", says: missing, good: []any{"Hex", "Base64", "Base64URL"}, bad: []any{nil}},
		{field: signature + ".encoding", says: unsupported("hex", `"Hex", "Base64", "Base64URL", "Text"`), bad: []any{"hex"}},
		{field: signature + ".prefixOptional", says: "@spec.verify[0].signature: signature.prefixOptional needs signature.prefix", good: []any{false}, bad: []any{true}},
		{field: signature + ".list", says: "@spec.verify[0].signature.list.separator: Required value", good: []any{fields{"separator": " ", "prefix": "v1,"}}, bad: []any{fields{}}},
		{field: signature + ".list", says: "signature.list.prefixOptional needs signature.list.prefix",
			good: []any{fields{"separator": ",", "prefix": "v1=", "prefixOptional": true, "trimSpace": true}, fields{"separator": ",", "prefixOptional": false}},
			bad:  []any{fields{"separator": ",", "prefixOptional": true}}},
		{field: signature + ".keyValue", says: "separator and equals, and signatureKey and timestampKey, must differ",
			good: []any{keyValue(",", "=", "v1", "t")}, bad: []any{keyValue("=", "=", "v1", "t"), keyValue(",", "=", "v1", "v1")}},
		{field: signature + ".pairs", says: "separator and equals must differ",
			good: []any{fields{"separator": "&", "equals": "|"}}, bad: []any{fields{"separator": "|", "equals": "|"}}},
	})
	check(t, with(t, manifest(t, minimalProvider), signature+".prefix", "sha256="), []rule{
		{field: signature + ".list", says: "@spec.verify[0].signature: at most one of the fields in [prefix list keyValue pairs] may be set", bad: []any{fields{"separator": ","}}},
		{field: signature + ".prefixOptional", says: missing, good: []any{true}},
	})
}

func TestProviderTimestamp(t *testing.T) {
	at := func(more fields) fields {
		more["from"] = fields{"header": "X-Timestamp"}
		return more
	}
	check(t, manifest(t, minimalProvider), []rule{
		{field: scheme + ".timestamp", says: "@spec.verify[0]: say where the timestamp is: either in timestamp.from or in signature.keyValue.timestampKey",
			good: []any{at(fields{"unit": "Seconds", "tolerance": "5m"}), at(fields{"unit": "RFC3339"}), at(fields{})}, bad: []any{fields{}, fields{"unit": "Seconds"}}},
		{field: scheme + ".timestamp", says: "timestamp.tolerance needs timestamp.unit: a timestamp can't be judged without knowing how it is written", bad: []any{at(fields{"tolerance": "5m"})}},
		{field: scheme + ".timestamp", says: "@spec.verify[0].timestamp.unit: " + unsupported("seconds", `"Seconds", "Milliseconds", "RFC3339"`), bad: []any{at(fields{"unit": "seconds"})}},
		{field: scheme + ".timestamp", says: "@spec.verify[0].timestamp.tolerance: timestamp.tolerance must be a duration from 1s to 360h, for example 5m",
			good: []any{at(fields{"unit": "Seconds", "tolerance": "1s"}), at(fields{"unit": "Seconds", "tolerance": "360h"})},
			bad: []any{at(fields{"unit": "Seconds", "tolerance": "300"}), at(fields{"unit": "Seconds", "tolerance": "0s"}),
				at(fields{"unit": "Seconds", "tolerance": "-5m"}), at(fields{"unit": "Seconds", "tolerance": "361h"})}},
	})
	named := with(t, manifest(t, minimalProvider), signature+".keyValue", fields{"separator": ",", "equals": "=", "signatureKey": "v1", "timestampKey": "t"})
	check(t, named, []rule{{
		field: scheme + ".timestamp", says: "@spec.verify[0]: say where the timestamp is: either in timestamp.from or in signature.keyValue.timestampKey",
		good: []any{fields{"unit": "Seconds"}}, bad: []any{at(fields{"unit": "Seconds"})},
	}})
}

func TestProviderIdentity(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{
		{field: "spec.identity", says: missing, bad: []any{nil}},
		{field: "spec.identity.id", says: missing, bad: []any{nil}},
		{field: "spec.identity.id", says: "spec.identity.id in body should have at least 1 items", bad: []any{list{}}},
		{field: "spec.deduplication", says: "deduplication.signedContentUnique needs deduplication.reason: say what makes the signed content of two events differ",
			good: []any{fields{"signedContentUnique": true, "reason": "numbered"}, fields{"window": "72h"}}, bad: []any{fields{"signedContentUnique": true}}},
		{field: "spec.deduplication.window", says: "deduplication.window must be a duration from 1m to 720h, for example 72h",
			good: []any{"1m", "720h"}, bad: []any{"", "59s", "721h", "3d", "-72h", "72"}},
		{field: "spec.maxBodyBytes", says: "maxBodyBytes must be a whole number of bytes from 1 to 64Mi, for example 5Mi",
			good: []any{"25Mi", int64(1)}, bad: []any{"0", "25m", "65Mi", "-1"}},
	})
}

func TestProviderJSONFormFields(t *testing.T) {
	const field = "spec.jsonFormFields"
	check(t, manifest(t, minimalProvider), []rule{
		{field: field, says: "spec.jsonFormFields in body should have at least 1 items", good: []any{nil, list{"payload"}, list{"a", "b[c]"}}, bad: []any{list{}}},
		{field: field, says: "@spec.jsonFormFields[0]: spec.jsonFormFields[0] in body should be at least 1 chars long", bad: []any{list{""}}},
		{field: field, says: `@spec.jsonFormFields[1]: Duplicate value: "payload"`, bad: []any{list{"payload", "payload"}}},
	})
}

// What is known of a sender says where it comes from.
func TestProviderFacts(t *testing.T) {
	sourced := func(more fields) fields {
		all := fields{"confidence": "Official", "source": "https://example.com/hooks"}
		for name, value := range more {
			if all[name] = value; value == nil {
				delete(all, name)
			}
		}
		return all
	}
	id := func(more fields) fields {
		all := sourced(fields{"perEvent": "Unique", "overRetries": "Same"})
		maps.Copy(all, more)
		return all
	}
	retries := func(more fields) fields {
		all := sourced(fields{"signature": "Kept"})
		maps.Copy(all, more)
		return all
	}
	const field = "spec.facts"
	rules := []rule{
		{field: field + ".id", says: "@spec.facts.id.perEvent: Required value", good: []any{id(nil), id(fields{"perEvent": "Shared", "overRetries": "None"})},
			bad: []any{sourced(fields{"overRetries": "Same"})}},
		{field: field + ".id", says: "@spec.facts.id.overRetries: Required value", bad: []any{sourced(fields{"perEvent": "Unique"})}},
		{field: field + ".id", says: "@spec.facts.id.perEvent: " + unsupported("None", `"Unique", "Shared", "Unknown"`), bad: []any{id(fields{"perEvent": "None"})}},
		{field: field + ".id", says: "@spec.facts.id.overRetries: " + unsupported("same", `"Same", "Different", "Unknown", "None"`), bad: []any{id(fields{"overRetries": "same"})}},
		{field: field + ".retries", says: "@spec.facts.retries.signature: Required value", good: []any{retries(nil)}, bad: []any{sourced(nil)}},
		{field: field + ".retries", says: "@spec.facts.retries.signature: " + unsupported("Never", `"Anew", "Kept", "Timeless", "Unknown", "None"`), bad: []any{retries(fields{"signature": "Never"})}},
		{field: field + ".retries", says: "@spec.facts.retries.within: retries.within must be a duration of at most 720h, for example 72h",
			good: []any{retries(fields{"within": "0s"}), retries(fields{"within": "1h30m"}), retries(fields{"within": "720h"})},
			bad:  []any{retries(fields{"within": "721h"}), retries(fields{"within": "3d"}), retries(fields{"within": ""}), retries(fields{"within": "-1h"}), retries(fields{"within": "72"})}},
	}
	for _, name := range []string{"methods", "bodies", "answers", "handshakes"} {
		at := field + "." + name
		rules = append(rules,
			rule{field: at, says: "@" + at + ".source: Required value", good: []any{sourced(nil), sourced(fields{"confidence": "Unverified", "source": "No document says it."})}, bad: []any{sourced(fields{"source": nil})}},
			rule{field: at, says: "@" + at + ".source: " + at + ".source in body should be at least 1 chars long", bad: []any{sourced(fields{"source": ""})}},
			rule{field: at, says: "@" + at + ".confidence: Required value", bad: []any{sourced(fields{"confidence": nil})}},
			rule{field: at, says: "@" + at + ".confidence: " + unsupported("A", `"Official", "ThirdParty", "Unverified"`), bad: []any{sourced(fields{"confidence": "A"})}},
		)
	}
	check(t, manifest(t, minimalProvider), rules)
}

func TestProviderTests(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{
		{field: "spec.tests", says: missing, bad: []any{nil}},
		{field: "spec.tests", says: "spec.tests in body should have at least 1 items", bad: []any{list{}}},
		{field: example + ".secret", says: "spec.tests[0].secret in body should be at least 1 chars long", good: []any{nil}, bad: []any{""}},
		{field: example + ".key", says: "spec.tests[0].key in body should be at least 1 chars long", good: []any{`{"keys":[]}`}, bad: []any{""}},
		{field: example + ".parameters", says: "@spec.tests[0].parameters[0].values: Required value",
			good: []any{list{fields{"name": "topic", "values": list{"a", "b"}}}}, bad: []any{list{fields{"name": "topic"}}}},
		{field: example + ".expect", says: "exactly one of the fields in [rejected handshake id] must be set",
			good: []any{fields{"id": "1"}, fields{"id": "1", "type": "a", "scheme": "v1"}, fields{"handshake": fields{"name": "hello", "body": "a", "headers": list{fields{"name": "A", "value": "b"}}}}},
			bad:  []any{fields{}, fields{"id": "1", "rejected": "WrongSignature"}, fields{"id": "1", "handshake": fields{"name": "hello"}}}},
		{field: example + ".expect", says: "only an example that is an event has a type and a scheme",
			bad: []any{fields{"rejected": "WrongSignature", "type": "a"}, fields{"rejected": "WrongSignature", "scheme": "v1"}, fields{"handshake": fields{"name": "hello"}, "type": "a"}}},
		{field: example + ".expect", says: "@spec.tests[0].expect.handshake.name: Required value", bad: []any{fields{"handshake": fields{}}}},
		{field: example + ".request", says: "at most one of the fields in [body bodyBase64] may be set", good: []any{fields{"body": "{}"}, fields{"bodyBase64": "e30="}}, bad: []any{fields{"body": "{}", "bodyBase64": "e30="}}},
		{field: example + ".request.bodyBase64", says: "bodyBase64 must be base64 with '+' and '/', padded with '=', on one line, for example eyJhIjoxfQ==",
			good: []any{"", "AA==", "AAA=", "AAAA", "77u/e30=", "Pj4+", strings.Repeat("+/", 8192)},
			bad:  []any{"e30", "e3=", "=", "e", "e30==", "77u_e30=", "Pj4-", "e30=\n", "e30=e30=", "e3\n0=", " e30=", "{}"}},
		{field: example + ".request", says: "@spec.tests[0].request.method: " + unsupported("TRACE", `"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"`),
			good: []any{fields{"method": "OPTIONS"}, fields{"method": "PUT"}, fields{"method": "PATCH"}, fields{"method": "DELETE"}}, bad: []any{fields{"method": "TRACE"}}},
		{field: example + ".now", says: `spec.tests[0].now in body must be of type date-time: "yesterday"`, good: []any{"2026-01-02T03:04:05Z"}, bad: []any{"yesterday"}},
	})
}

// Every reason for which the receiver rejects a request can be stated by an
// example, and no other.
func TestProviderRejections(t *testing.T) {
	base := manifest(t, minimalProvider)
	for _, reason := range []verify.Reason{
		verify.MissingSignature, verify.MalformedSignature, verify.DuplicateHeader, verify.WrongSignature, verify.MissingTimestamp,
		verify.MalformedTimestamp, verify.TimestampOutsideTolerance, verify.PreconditionFailed, verify.MissingID, verify.MalformedBody,
		verify.NoUsableKey, verify.NoPublicURL, verify.ClaimMismatch, verify.HandshakeRefused, verify.MalformedHandshake,
		verify.UntrustedCertificate, verify.NoCertificate,
	} {
		if _, err := create(t, with(t, base, example+".expect", fields{"rejected": string(reason)})); err != nil {
			t.Errorf("%s: %q", reason, sentences(err))
		}
	}
}

func TestProviderMayBeFull(t *testing.T) {
	full := manifest(t, fullProvider)
	stored, err := create(t, full)
	if err != nil {
		t.Fatalf("refused: %q", sentences(err))
	}
	if diff := cmp.Diff(full.Object["spec"], stored.Object["spec"]); diff != "" {
		t.Errorf("the spec was changed (-written +stored):\n%s", diff)
	}
}

// The presets are WebhookProviders like any other.
func TestPresetsAreAdmitted(t *testing.T) {
	presets, err := provider.Presets()
	if err != nil || len(presets) == 0 {
		t.Fatalf("there are %d presets: %v", len(presets), err)
	}
	for _, preset := range presets {
		t.Run(preset.Name, func(t *testing.T) {
			text, err := yaml.Marshal(preset)
			if err != nil {
				t.Fatal(err)
			}
			written := manifest(t, string(text))
			if _, err := create(t, written); err != nil {
				t.Fatalf("refused: %q", sentences(err))
			}
			checkStatus(t, written, provider.Compile(preset).Unauthenticated)
		})
	}
}

// checkStatus asks whether the API server would take what is said of a preset: every
// sentence whole, one for each scheme.
func checkStatus(t *testing.T, preset *object, unauthenticated []string) {
	t.Helper()
	if err := api.Create(t.Context(), preset); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Delete(context.Background(), preset); err != nil {
			t.Error(err)
		}
	})
	said := list{}
	for _, sentence := range unauthenticated {
		said = append(said, sentence)
	}
	if err := api.Status().Update(t.Context(), with(t, preset, "status", fields{"unauthenticated": said}), client.DryRunAll); err != nil {
		t.Errorf("what it leaves open is refused: %q", sentences(err))
	}
}
