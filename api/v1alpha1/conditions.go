package v1alpha1

// The conditions of a WebhookEndpoint, in the vocabulary of the Gateway API.
const (
	// ConditionAccepted: the spec is valid and the endpoint has the path it claims.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs: provider, secret and target exist and fit.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionProgrammed: every live receiver serves the current route.
	ConditionProgrammed = "Programmed"
	// ConditionReady: all of the above, so the next webhook is handled by this
	// generation on whichever receiver it lands.
	ConditionReady = "Ready"
	// ConditionDegraded: the endpoint is served, and something needs a look. It is
	// there as soon as anything came.
	ConditionDegraded = "Degraded"
)

// The annotations of a Namespace by which a platform team limits what its endpoints
// may take. Whoever may only edit what is in the namespace can't change them.
const (
	// AnnotationMaxEndpoints is how many endpoints are served, the oldest first.
	AnnotationMaxEndpoints = "hooks.sallyport.dev/max-endpoints"
	// AnnotationMaxBodyBytes is the size of the largest body, for example 5Mi.
	AnnotationMaxBodyBytes = "hooks.sallyport.dev/max-body-bytes"
)

// Reasons of Degraded.
const (
	// ReasonAsExpected: nothing needs a look.
	ReasonAsExpected = "AsExpected"
	// ReasonSignaturesFail: several requests in a row were not authentic.
	ReasonSignaturesFail = "SignaturesFail"
	// ReasonDeadLetters: deliveries were given up and wait for somebody.
	ReasonDeadLetters = "DeadLetters"
)

// ConditionVerified is the condition of a WebhookProvider: its own examples
// come out as it says.
const ConditionVerified = "Verified"

// Reasons of Accepted.
const (
	// ReasonAccepted: the endpoint has its path.
	ReasonAccepted = "Accepted"
	// ReasonPathConflict: an older endpoint of the namespace has the path.
	ReasonPathConflict = "PathConflict"
	// ReasonInvalidRoute: what a route matches can't be read, an expression for example.
	ReasonInvalidRoute = "InvalidRoute"
	// ReasonInvalidDeduplication: events are remembered for so short a time that a
	// captured request could be sent again.
	ReasonInvalidDeduplication = "InvalidDeduplication"
	// ReasonQuotaExceeded: the platform team allows less in this namespace.
	ReasonQuotaExceeded = "QuotaExceeded"
)

// Reasons of ResolvedRefs.
const (
	// ReasonResolvedRefs: everything that the endpoint names is there.
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonProviderNotFound: no WebhookProvider and no preset has that name.
	ReasonProviderNotFound = "ProviderNotFound"
	// ReasonProviderNotVerified: the provider is not valid or fails its own examples.
	ReasonProviderNotVerified = "ProviderNotVerified"
	// ReasonPublicURLUnknown: the provider signs the public URL, and the manager
	// was not told it.
	ReasonPublicURLUnknown = "PublicURLUnknown"
	// ReasonSecretRequired: the provider needs a secret, and the endpoint names none.
	ReasonSecretRequired = "SecretRequired"
	// ReasonSecretNotFound: there is no such Secret.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretKeyNotFound: the Secret lacks the entry.
	ReasonSecretKeyNotFound = "SecretKeyNotFound"
	// ReasonSecretInvalid: the value is empty or not what the provider's scheme needs.
	ReasonSecretInvalid = "SecretInvalid"
	// ReasonParameterMissing: the provider needs a parameter that the endpoint doesn't give.
	ReasonParameterMissing = "ParameterMissing"
	// ReasonParameterUnknown: the provider takes no parameter of that name from the spec.
	ReasonParameterUnknown = "ParameterUnknown"
	// ReasonParameterInvalid: the value of a parameter is not what the provider needs.
	ReasonParameterInvalid = "ParameterInvalid"
	// ReasonKeysNotFetched: the keys that the provider publishes were never fetched.
	ReasonKeysNotFetched = "KeysNotFetched"
	// ReasonTargetNotFound: there is no such Service.
	ReasonTargetNotFound = "TargetNotFound"
	// ReasonTargetPortNotFound: the Service lacks the port.
	ReasonTargetPortNotFound = "TargetPortNotFound"
	// ReasonTargetNotAllowed: the Service is of type ExternalName.
	ReasonTargetNotAllowed = "TargetNotAllowed"
	// ReasonCANotFound: there is no such ConfigMap, or it lacks the entry.
	ReasonCANotFound = "CANotFound"
	// ReasonCAInvalid: the entry holds no certificates in PEM, or too many.
	ReasonCAInvalid = "CAInvalid"
	// ReasonSigningSecretNotFound: there is no such Secret to sign with, or it lacks
	// the entry.
	ReasonSigningSecretNotFound = "SigningSecretNotFound"
	// ReasonSigningSecretInvalid: nothing can be signed with the value.
	ReasonSigningSecretInvalid = "SigningSecretInvalid"
	// ReasonFreshSignatureImpossible: a target is to get fresh signatures, and nobody
	// but the sender can make any.
	ReasonFreshSignatureImpossible = "FreshSignatureImpossible"
)

// Reasons of Programmed.
const (
	// ReasonProgrammed: all live receivers serve the current route.
	ReasonProgrammed = "Programmed"
	// ReasonPending: a live receiver does not serve the current route yet.
	ReasonPending = "Pending"
	// ReasonNoReceivers: no receiver is alive.
	ReasonNoReceivers = "NoReceivers"
	// ReasonServiceConflict: a Service of the name <name>-webhook is somebody else's.
	ReasonServiceConflict = "ServiceConflict"
	// ReasonNotPublished: there is no route to serve, see the other conditions.
	ReasonNotPublished = "NotPublished"
)

// Reasons of Ready. While it is false, its reason is that of the first condition that is
// not, or it is ReasonStoreUnavailable.
const (
	// ReasonReady: the next webhook is handled as the generation says.
	ReasonReady = "Ready"
	// ReasonStoreUnavailable: no receiver has been able to store events for a minute.
	ReasonStoreUnavailable = "StoreUnavailable"
)

// Reasons of Verified.
const (
	// ReasonVerified: every example comes out as stated.
	ReasonVerified = "Verified"
	// ReasonExampleFailed: an example comes out otherwise than stated.
	ReasonExampleFailed = "ExampleFailed"
	// ReasonInvalidScheme: the provider can't be compiled.
	ReasonInvalidScheme = "InvalidScheme"
)

// The conditions of a WebhookReplay. Reconciling and Stalled are there only while
// they are true, as kstatus reads them; an endpoint has Stalled, too.
const (
	// ConditionComplete: all that was meant is handed to the receivers again.
	ConditionComplete = "Complete"
	// ConditionReconciling: it is not over yet, and goes on by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled: it goes on when somebody has done something.
	ConditionStalled = "Stalled"
)

// Reasons of Complete. Reconciling and Stalled have the same reason as Complete.
const (
	// ReasonReplayed: all that was meant is handed over.
	ReasonReplayed = "Replayed"
	// ReasonReplayedPartially: it is over, and some could not be handed over.
	ReasonReplayedPartially = "ReplayedPartially"
	// ReasonReplaying: dead letters are looked for and handed over.
	ReasonReplaying = "Replaying"
	// ReasonEndpointNotFound: there is no such WebhookEndpoint.
	ReasonEndpointNotFound = "EndpointNotFound"
	// ReasonRedisUnavailable: Redis does not answer; it is asked again.
	ReasonRedisUnavailable = "RedisUnavailable"
	// ReasonRedisNotConfigured: the manager was not told where Redis is.
	ReasonRedisNotConfigured = "RedisNotConfigured"
)
