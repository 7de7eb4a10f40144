package cel

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport.dev/sallyport/config/providers"
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
    require: [{header: X-Version, value: "2"}]
  - name: digest
    algorithm: Ed25519
    signature: {from: [{header: X-Signature-2}], repeated: true, prefix: "ed=", prefixOptional: true, encoding: Base64}
    content: "{header:X-Digest}"
    bodyDigest: {from: {header: X-Digest}, encoding: Hex}
  - name: token
    algorithm: Token
    signature: {from: [{header: Authorization}], prefix: "Bearer ", encoding: Text}
  identity: {id: ["{id}", "{body_sha256}"], type: ["{json:/type}"]}
  deduplication: {window: 72h, signedContentUnique: true, reason: Every body has a number.}
  maxBodyBytes: 64Mi
  facts: {scheme: Official, delivery: ThirdParty, ackSeconds: 10, retry: hourly, success: "2xx", notes: none, docs: ["https://example.com/hooks"]}
  tests:
  - name: signed
    secret: example
    now: "2026-01-02T03:04:05Z"
    request:
      method: PUT
      url: https://hooks.example.com/a/b?c=d
      headers: [{name: X-Signature, value: ""}, {name: X-Signature, value: a}]
      bodyBase64: e30=
    expect: {scheme: v1, id: "1", type: a}
  - {name: unsigned, secret: example, request: {method: POST, body: "{}"}, expect: {rejected: MissingSignature}}
`

const (
	scheme     = "spec.verify[0]"
	signature  = "spec.verify[0].signature"
	example    = "spec.tests[0]"
	exactlyOne = "exactly one of the fields in [header query form json] must be set"
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
		{field: scheme + ".algorithm", says: unsupported("MD5", `"HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "SHA256", "Ed25519", "ECDSA-P256-SHA256", "RSA-SHA1", "RSA-SHA256", "Token", "Basic"`),
			good: []any{"HMAC-SHA1", "HMAC-SHA512", "Ed25519", "ECDSA-P256-SHA256", "RSA-SHA1", "RSA-SHA256"}, bad: []any{"MD5"}},
		{field: scheme + ".key", says: "@spec.verify[0].key[0]: a step of key is base64, hex, sha1, nfkd, or trim:<prefix>, for example trim:whsec_",
			good: []any{list{"trim:whsec_", "base64"}, list{"hex"}, list{"sha1", "nfkd"}},
			bad:  []any{list{"sha256"}, list{""}, list{"trim:"}, list{"Base64"}}},
		{field: scheme + ".urlForms", says: "@spec.verify[0].urlForms[0]: " + unsupported("NoHost", `"AsGiven", "DefaultPort", "NoPort"`),
			good: []any{list{"AsGiven", "NoPort"}}, bad: []any{list{"NoHost"}}},
		{field: scheme + ".require", says: "@spec.verify[0].require[0].value: Required value", good: []any{list{fields{"header": "A", "value": "1"}}}, bad: []any{list{fields{"header": "A"}}}},
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
	const meaningless = "@spec.verify[0]: Token and Basic sign nothing: content, key, keyID, id, timestamp and bodyDigest have no meaning for them"
	check(t, with(t, token, scheme+".algorithm", "Token"), []rule{
		{field: scheme + ".algorithm", says: missing, good: []any{"Basic"}},
		{field: scheme + ".content", says: meaningless, bad: []any{"{body}"}},
		{field: scheme + ".key", says: meaningless, bad: []any{list{"base64"}}},
		{field: scheme + ".keyID", says: meaningless, bad: []any{fields{"header": "X-Key"}}},
		{field: signature + ".encoding", says: "@spec.verify[0]: signature.encoding must be Text for Token and Basic: the secret is sent as it is", bad: []any{"Hex", "Base64"}},
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
		{field: scheme + ".timestamp", says: "@spec.verify[0].timestamp.tolerance: timestamp.tolerance must be a duration from 1s to 24h, for example 5m",
			good: []any{at(fields{"unit": "Seconds", "tolerance": "1s"}), at(fields{"unit": "Seconds", "tolerance": "24h"})},
			bad: []any{at(fields{"unit": "Seconds", "tolerance": "300"}), at(fields{"unit": "Seconds", "tolerance": "0s"}),
				at(fields{"unit": "Seconds", "tolerance": "-5m"}), at(fields{"unit": "Seconds", "tolerance": "25h"})}},
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

func TestProviderTests(t *testing.T) {
	check(t, manifest(t, minimalProvider), []rule{
		{field: "spec.tests", says: missing, bad: []any{nil}},
		{field: "spec.tests", says: "spec.tests in body should have at least 1 items", bad: []any{list{}}},
		{field: example + ".secret", says: missing, bad: []any{nil}},
		{field: example + ".secret", says: "spec.tests[0].secret in body should be at least 1 chars long", bad: []any{""}},
		{field: example + ".expect", says: "expect must have either rejected, the reason of the rejection, or id, the id of the event",
			good: []any{fields{"id": "1"}, fields{"id": "1", "type": "a", "scheme": "v1"}}, bad: []any{fields{}, fields{"id": "1", "rejected": "WrongSignature"}}},
		{field: example + ".expect", says: "an example that is rejected has no type and no scheme", bad: []any{fields{"rejected": "WrongSignature", "type": "a"}, fields{"rejected": "WrongSignature", "scheme": "v1"}}},
		{field: example + ".request", says: "at most one of the fields in [body bodyBase64] may be set", good: []any{fields{"body": "{}"}, fields{"bodyBase64": "e30="}}, bad: []any{fields{"body": "{}", "bodyBase64": "e30="}}},
		{field: example + ".request", says: "@spec.tests[0].request.method: " + unsupported("DELETE", `"GET", "POST", "PUT", "PATCH"`), good: []any{fields{"method": "PATCH"}}, bad: []any{fields{"method": "DELETE"}}},
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
		verify.NoUsableKey, verify.NoPublicURL,
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
	names, err := fs.Glob(providers.Files, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("there are no presets: %v", err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text, err := fs.ReadFile(providers.Files, name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := create(t, manifest(t, string(text))); err != nil {
				t.Errorf("refused: %q", sentences(err))
			}
		})
	}
}
