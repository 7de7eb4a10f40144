package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// WebhookEndpoint is a URL at which one provider's webhooks are received,
// verified, deduplicated, recorded and handed to a Service of the same namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=whe,categories=sallyport
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Paused",type=boolean,JSONPath=`.spec.paused`
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.traffic.pending`
// +kubebuilder:printcolumn:name="Dead",type=integer,JSONPath=`.status.traffic.deadLettered`
// +kubebuilder:printcolumn:name="Last Received",type=date,JSONPath=`.status.traffic.lastReceivedTime`
// +kubebuilder:printcolumn:name="Target",type=string,priority=1,JSONPath=`.spec.target.service.name`
// +kubebuilder:printcolumn:name="Last Delivered",type=date,priority=1,JSONPath=`.status.traffic.lastDeliveredTime`
// +kubebuilder:printcolumn:name="Degraded",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Degraded")].reason`
// +kubebuilder:printcolumn:name="New Secret Used",type=date,priority=1,JSONPath=`.status.secretRotation.currentFirstUsedTime`
// +kubebuilder:printcolumn:name="Old Secret Used",type=date,priority=1,JSONPath=`.status.secretRotation.previousLastUsedTime`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]{0,53}[a-z0-9])?$')",message="metadata.name must start with a letter, consist of lower case letters, digits and '-', and have at most 55 characters: a Service called <name>-webhook is made for it"
type WebhookEndpoint struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what should be received, and what should become of it.
	// +required
	Spec WebhookEndpointSpec `json:"spec"`
	// status is what Sallyport found and did. Until the manager has seen the endpoint, its
	// observedGeneration is -1, so that kstatus does not take it for ready.
	// +optional
	// +default={"observedGeneration":-1}
	Status WebhookEndpointStatus `json:"status,omitzero"`
}

// WebhookEndpointSpec says who sends, how they prove it, and who gets the events.
//
// +kubebuilder:validation:XValidation:rule="has(self.target) || has(self.routes)",message="spec needs a target, or routes, or both: target gets the events that no route matches"
// +kubebuilder:validation:XValidation:rule="!has(self.routes) || !has(self.delivery) || !has(self.delivery.mode) || self.delivery.mode != 'Sync'",message="routes need delivery.mode Async: with Sync, the answer of one target is the answer to the sender"
type WebhookEndpointSpec struct {
	// className names the Sallyport that serves the endpoint, in a cluster that has
	// several: the one whose manager was started with this --class-name. Without it, the
	// endpoint is served by the one that serves endpoints without a class, which is the
	// usual one.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="className must consist of lower case letters, digits and '-', and start and end with a letter or digit, for example internal"
	ClassName string `json:"className,omitempty"`

	// provider names who sends: a built-in preset (github, stripe, slack, ...) or
	// a WebhookProvider of this cluster. `kubectl get webhookproviders` lists them.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="provider must be the name of a WebhookProvider or of a built-in preset, for example github or stripe: lower case letters, digits and '-'"
	Provider string `json:"provider"`

	// secretRef names the Secret, in the namespace of the endpoint, that holds what
	// the provider signs with. One newline at the end of the value is not part of it. A
	// value that is a JSON list of up to 8 texts, as in ["first","second"], holds several
	// secrets that are all valid, for providers that use more than one at a time. To
	// rotate the secret, edit the Secret. Few providers need none: those whose keys are
	// public.
	// +optional
	SecretRef *SecretKeyReference `json:"secretRef,omitempty"`

	// parameters are what the provider asks for beside the secret, for example the
	// topics that may send. `kubectl get webhookprovider <provider> -o yaml` lists them
	// in spec.parameters. Those that are sensitive are entries of the Secret instead.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Parameters []ParameterValues `json:"parameters,omitempty"`

	// secretRotation says what becomes of the previous secret after the Secret was
	// edited.
	// +optional
	SecretRotation *SecretRotationSpec `json:"secretRotation,omitempty"`

	// path is the end of the URL, for example /stripe: the whole path is
	// /<namespace><path>. It defaults to /<name of the endpoint>. If two endpoints of
	// a namespace claim one path, the oldest has it.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$')",message="path must start with '/' and consist of segments of letters, digits, '-', '_', '~' and '.' that don't start with a dot, with no '/' at the end, for example /stripe or /v1/stripe"
	Path string `json:"path,omitempty"`

	// target gets the events that no route matches, which are all of them where there
	// are no routes. Without a target, an event that no route matches is acknowledged
	// and not kept.
	// +optional
	Target *Target `json:"target,omitempty"`

	// routes lead events to other targets by their type and content. An event goes to
	// every route that matches it, each with its own retries and dead letters.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Routes []EventRoute `json:"routes,omitempty"`

	// delivery bounds how events are handed to the target.
	// +optional
	Delivery *DeliverySpec `json:"delivery,omitempty"`

	// deduplication says how events are recognized again.
	// +optional
	Deduplication *DeduplicationSpec `json:"deduplication,omitempty"`

	// limits bound what a sender may do.
	// +optional
	Limits *LimitsSpec `json:"limits,omitempty"`

	// paused holds all deliveries: events are accepted and stored, and delivered when
	// it is false again. That spends no attempts, and an event grows no older by it.
	// In mode Sync, where nothing is stored, the sender gets 503 instead.
	// +optional
	Paused bool `json:"paused,omitempty"`
}

// SecretKeyReference names an entry of a Secret in the same namespace.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="secretRef.name must be the name of a Secret: lower case letters, digits, '-' and '.'"
	Name string `json:"name"`
	// key is the entry of the Secret's data; "secret" by default.
	// +optional
	// +default="secret"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="secretRef.key must be an entry of a Secret: letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}

// ParameterValues are the values of a parameter of the provider.
type ParameterValues struct {
	// name of the parameter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// values are those accepted; where the provider needs one value, it is the first.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Values []string `json:"values"`
}

// SecretRotationSpec says what becomes of the previous secret.
type SecretRotationSpec struct {
	// grace is how long the previous secret stays valid after the Secret has changed,
	// from 0s to 720h; 24h by default. 0s revokes it at once. It may be changed while a
	// previous secret is still valid: it counts from the change of the Secret.
	// +optional
	// +default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s') && duration(self) <= duration('720h')",message="secretRotation.grace must be a duration from 0s to 720h, for example 24h"
	Grace *metav1.Duration `json:"grace,omitempty"`
}

// EventRoute leads some of the events to a target.
type EventRoute struct {
	// name of the route: lower case letters, digits and '-'. Deliveries are known by
	// it, so those that wait when a route is renamed are dead letters after
	// delivery.retry.maxAge.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="routes[].name must consist of lower case letters, digits and '-', and start and end with a letter or digit, for example invoices"
	Name string `json:"name"`
	// match says which events take the route; without it, all do.
	// +optional
	Match *EventMatch `json:"match,omitempty"`
	// target gets the events that take the route.
	// +required
	Target Target `json:"target"`
}

// EventMatch says which events are meant. Where both parts are given, both must
// hold.
type EventMatch struct {
	// types are patterns of the event type, of which one must fit. A "*" stands for any
	// characters: "invoice.*" fits invoice.paid. Upper and lower case differ. Of a batch,
	// one of its types must fit.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Types []string `json:"types,omitempty"`
	// expression in CEL that must be true, for example event.body.livemode == true. The
	// variable event is the verified webhook: event.id, event.type, event.types (a list,
	// for batches), event.provider, event.headers (by their names in lower case) and
	// event.body (JSON, or the fields of a form). What is not there makes the expression
	// not match; has(event.body.x) and 'x' in event.headers ask for it. A body that can't
	// be read makes the event go to spec.target, or be put off. A mistake is told in the
	// condition Accepted, with its line and column.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Expression string `json:"expression,omitempty"`
}

// Target is where events go.
type Target struct {
	// service is a Service in the namespace of the endpoint.
	// +required
	Service ServiceTarget `json:"service"`
	// signingSecretRef names the Secret, in the namespace of the endpoint, with which
	// everything is signed that this target gets, by Standard Webhooks: so the target
	// can tell it from what others send. The value is "whsec_" and base64, or any other
	// text, which is taken as it is. One newline at the end is not part of it.
	// +optional
	SigningSecretRef *SecretKeyReference `json:"signingSecretRef,omitempty"`
	// signature says which signature of the sender the target gets. AsSent, the default:
	// the one that came with the event. Fresh: each attempt is signed anew, by the
	// provider's own scheme, with the endpoint's current secret and the time of the
	// attempt, so that a handler that checks the signature itself accepts retries and
	// replays. Fresh needs a scheme with a shared secret (HMAC).
	// +optional
	// +default="AsSent"
	Signature TargetSignature `json:"signature,omitempty"`
	// credentials says what becomes of the secret itself where the sender sends it, in a
	// header or in the query: Remove, the default, or Forward, for a handler that checks it.
	// +optional
	// +default="Remove"
	Credentials TargetCredentials `json:"credentials,omitempty"`
}

// TargetSignature says which signature of the sender a target gets.
// +kubebuilder:validation:Enum=AsSent;Fresh
type TargetSignature string

// The signatures that a target can get.
const (
	TargetSignatureAsSent TargetSignature = "AsSent"
	TargetSignatureFresh  TargetSignature = "Fresh"
)

// TargetCredentials says what becomes of the secret where the sender sends it.
// +kubebuilder:validation:Enum=Remove;Forward
type TargetCredentials string

// What becomes of credentials.
const (
	TargetCredentialsRemove  TargetCredentials = "Remove"
	TargetCredentialsForward TargetCredentials = "Forward"
)

// ServiceTarget is a port and a path of a Service.
//
// +kubebuilder:validation:XValidation:rule="!has(self.caRef) || (has(self.scheme) && self.scheme == 'https')",message="target.service.caRef needs scheme https: http has no certificates"
type ServiceTarget struct {
	// name of the Service. It must not be of type ExternalName.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="target.service.name must be the name of a Service in the endpoint's own namespace, not a URL or a host name"
	Name string `json:"name"`
	// port is the number or the name of a TCP port of the Service.
	// +required
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : self.size() <= 15 && self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self.matches('[a-z]')",message="target.service.port must be a number from 1 to 65535, without quotes, or the name of a port of the Service"
	Port intstr.IntOrString `json:"port"`
	// path of the request to the Service, for example /webhooks; / by default.
	// +optional
	// +default="/"
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[A-Za-z0-9._~!$&()*+,;=:@%/-]*$')",message="target.service.path must start with '/' and hold no query, fragment or space"
	Path string `json:"path,omitempty"`
	// scheme of the request to the Service: http, the default, or https. The certificate
	// must be of <service>.<namespace>.svc.
	// +optional
	// +default="http"
	// +kubebuilder:validation:Enum=http;https
	Scheme string `json:"scheme,omitempty"`
	// caRef names the ConfigMap, in the namespace of the endpoint, with the certificates
	// of the authorities that the Service's certificate may come from, in PEM. Without it
	// they are those that the receivers' image comes with.
	// +optional
	CARef *ConfigMapKeyReference `json:"caRef,omitempty"`
}

// ConfigMapKeyReference names an entry of a ConfigMap in the same namespace.
type ConfigMapKeyReference struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="caRef.name must be the name of a ConfigMap: lower case letters, digits, '-' and '.'"
	Name string `json:"name"`
	// key is the entry of the ConfigMap's data; "ca.crt" by default.
	// +optional
	// +default="ca.crt"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="caRef.key must be an entry of a ConfigMap: letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}

// DeliveryMode says when the sender gets its answer.
// +kubebuilder:validation:Enum=Async;Sync
type DeliveryMode string

// The modes of delivery.
const (
	// DeliveryModeAsync acknowledges an event once it is stored.
	DeliveryModeAsync DeliveryMode = "Async"
	// DeliveryModeSync gives the sender the answer of the target.
	DeliveryModeSync DeliveryMode = "Sync"
)

// DeliverySpec bounds how events are handed to the target.
//
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Sync' || !has(self.timeout) || !self.timeout.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || duration(self.timeout) <= duration('30s')",message="delivery.timeout must be at most 30s with mode Sync, because the sender waits"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'Sync' || !has(self.rateLimit)",message="delivery.rateLimit has no meaning with mode Sync, where nothing can wait; use limits.rateLimit"
type DeliverySpec struct {
	// mode says what the sender gets for an answer. Async, the default: a 2xx as soon
	// as the event is stored. Sync: the answer of the target, for senders that show or
	// use it, such as Slack's interactions. There is one attempt then, within timeout;
	// if it fails, the sender gets 502 or 504 and the event is forgotten, so that the
	// sender's own repetition counts.
	// +optional
	// +default="Async"
	Mode DeliveryMode `json:"mode,omitempty"`
	// timeout of one attempt, from 100ms to 5m; 10s by default. In mode Sync at most
	// 30s; set it below the time for which the sender waits, 3 seconds for many.
	// +optional
	// +default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('5m')",message="delivery.timeout must be a duration from 100ms to 5m, for example 10s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// maxInFlight bounds the concurrent attempts per receiver and target, from 1 to
	// 1000; 32 by default.
	// +optional
	// +default=32
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxInFlight *int32 `json:"maxInFlight,omitempty"`
	// rateLimit of attempts, per receiver and target. What is beyond it waits.
	// +optional
	RateLimit *RateLimitSpec `json:"rateLimit,omitempty"`
	// retry says when a failed attempt is made again.
	// +optional
	Retry *RetrySpec `json:"retry,omitempty"`
}

// RetrySpec is exponential backoff with full jitter.
//
// +kubebuilder:validation:XValidation:rule="[self.minBackoff, self.maxBackoff].exists(d, !d.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$')) || duration(self.minBackoff) <= duration(self.maxBackoff)",messageExpression="'delivery.retry.minBackoff (' + self.minBackoff + ') must not be longer than maxBackoff (' + self.maxBackoff + ')'"
type RetrySpec struct {
	// maxAttempts counts the first attempt, too, from 1 to 100; 12 by default. After
	// the last one, the event is a dead letter.
	// +optional
	// +default=12
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MaxAttempts *int32 `json:"maxAttempts,omitempty"`
	// minBackoff bounds the wait after the first failure; it doubles with each
	// further one. From 100ms to 1h; 1s by default.
	// +optional
	// +default="1s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="delivery.retry.minBackoff must be a duration from 100ms to 1h, for example 1s"
	MinBackoff *metav1.Duration `json:"minBackoff,omitempty"`
	// maxBackoff bounds every wait. From 100ms to 24h; 1h by default.
	// +optional
	// +default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('24h')",message="delivery.retry.maxBackoff must be a duration from 100ms to 24h, for example 1h"
	MaxBackoff *metav1.Duration `json:"maxBackoff,omitempty"`
	// maxAge of an event, counted from its receipt: older, it is a dead letter,
	// whatever attempts are left. From 1m to 720h; 72h by default.
	// +optional
	// +default="72h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="delivery.retry.maxAge must be a duration from 1m to 720h, for example 72h"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`
}

// ReplayProtection says whether signed content is remembered beside the event id.
// +kubebuilder:validation:Enum=Auto;Strict;Off
type ReplayProtection string

// The settings of replay protection.
const (
	// ReplayProtectionAuto remembers signed content where the provider is known to
	// sign something unique with every event.
	ReplayProtectionAuto ReplayProtection = "Auto"
	// ReplayProtectionStrict always remembers it. Genuine events with the same
	// content are refused as duplicates, too.
	ReplayProtectionStrict ReplayProtection = "Strict"
	// ReplayProtectionOff never remembers it.
	ReplayProtectionOff ReplayProtection = "Off"
)

// DeduplicationSpec says how events are recognized again.
type DeduplicationSpec struct {
	// window is how long an event is remembered, from 1m to 720h. It defaults to the
	// time for which the provider repeats an event.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="deduplication.window must be a duration from 1m to 720h, for example 72h"
	Window *metav1.Duration `json:"window,omitempty"`
	// replayProtection refuses signed content that was accepted before under another
	// event id. Auto, the default: where the provider signs something unique with
	// every event. Strict: always; genuine events with the same content are refused,
	// too. Off: never.
	// +optional
	// +default="Auto"
	ReplayProtection ReplayProtection `json:"replayProtection,omitempty"`
}

// LimitsSpec bounds what a sender may do.
type LimitsSpec struct {
	// maxBodyBytes is the size of the largest body that is taken, up to 64Mi, for
	// example 5Mi. It defaults to what the provider may send, else 1Mi. A larger body
	// gets 413.
	// +optional
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isInteger() && quantity(string(self)).isGreaterThan(quantity('0')) && !quantity(string(self)).isGreaterThan(quantity('64Mi'))",message="limits.maxBodyBytes must be a whole number of bytes from 1 to 64Mi, for example 5Mi"
	MaxBodyBytes *resource.Quantity `json:"maxBodyBytes,omitempty"`
	// sourceRanges lists the networks that may send, in CIDR notation, for example
	// 192.30.252.0/22; empty: all. Others get 403.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="limits.sourceRanges must be networks in CIDR notation, for example 192.30.252.0/22, or 203.0.113.7/32 for one address"
	// +kubebuilder:validation:items:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="limits.sourceRanges must have no bits set behind the prefix: write 203.0.113.0/24 for the network, or 203.0.113.7/32 for one address of it"
	SourceRanges []string `json:"sourceRanges,omitempty"`
	// rateLimit of authentic requests, per receiver. Requests beyond it get 429.
	// +optional
	RateLimit *RateLimitSpec `json:"rateLimit,omitempty"`
}

// RateLimitSpec is a token bucket.
type RateLimitSpec struct {
	// perSecond is the sustained rate, from 1 to 100000.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	PerSecond int32 `json:"perSecond"`
	// burst is how many requests may come at once, from 1 to 1000000; perSecond by
	// default.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Burst *int32 `json:"burst,omitempty"`
}

// WebhookEndpointStatus is what Sallyport found and did.
type WebhookEndpointStatus struct {
	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// url is what to enter at the provider: only a path while the manager was not
	// told its public URL, and nothing while the path belongs to another endpoint.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	URL string `json:"url,omitempty"`
	// secretRotation says how far the change to a new secret has come. It is there
	// from the change of the Secret until the previous secret is no longer valid.
	// +optional
	SecretRotation *SecretRotationStatus `json:"secretRotation,omitempty"`
	// traffic is what came and went. It is brought up to date from time to time, and
	// only if it has changed; kubectl hooks stats has it as it is now.
	// +optional
	Traffic *TrafficStatus `json:"traffic,omitempty"`
	// conditions are Accepted (the spec is valid and has its path), ResolvedRefs
	// (provider, secret and target exist and fit), Programmed (every live receiver
	// serves this generation) and Ready (all of it). Degraded is there while something
	// needs a look although the endpoint is ready: signatures fail in a row, or there
	// are dead letters. Stalled is there while the endpoint can't become ready before
	// somebody changes something.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`
}

// SecretRotationStatus says how far the change to a new secret has come. Once
// the provider signs with the new one only, the rotation is done.
type SecretRotationStatus struct {
	// startTime is when Sallyport saw the new secret.
	// +required
	StartTime metav1.Time `json:"startTime"`
	// previousExpirationTime is when the previous secret stops being valid.
	// +required
	PreviousExpirationTime metav1.Time `json:"previousExpirationTime"`
	// currentFirstUsedTime is when the provider was first seen to sign with the new secret.
	// +optional
	CurrentFirstUsedTime *metav1.Time `json:"currentFirstUsedTime,omitempty"`
	// previousLastUsedTime is when the provider was last seen to sign with the previous
	// secret, to the minute.
	// +optional
	PreviousLastUsedTime *metav1.Time `json:"previousLastUsedTime,omitempty"`
}

// TrafficStatus is what came and went, over all receivers.
type TrafficStatus struct {
	// lastReceivedTime is when an event was last accepted, to the minute.
	// +optional
	LastReceivedTime *metav1.Time `json:"lastReceivedTime,omitempty"`
	// lastDeliveredTime is when the target last took an event, to the minute.
	// +optional
	LastDeliveredTime *metav1.Time `json:"lastDeliveredTime,omitempty"`
	// pending counts deliveries that are neither done nor given up.
	// +optional
	Pending int64 `json:"pending"`
	// deadLettered counts deliveries that were given up and are kept.
	// +optional
	DeadLettered int64 `json:"deadLettered"`
}

// WebhookEndpointList is a list of WebhookEndpoint.
//
// +kubebuilder:object:root=true
type WebhookEndpointList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WebhookEndpoint `json:"items"`
}
