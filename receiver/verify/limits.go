package verify

// Bounds of a provider. They are generous for people and small for machines.
const (
	maxSchemes      = 8
	maxPlaces       = 16   // DocuSign sends one header per key
	maxAlternatives = 4    // of a content, and of a URL's spellings
	maxTemplates    = 8    // of an identity
	maxTemplate     = 1024 // bytes of a template
	maxSegments     = 48   // literals and variables of a template
	maxKeySteps     = 4
	maxClaims       = 8
	maxClaimValues  = 16
	maxName         = 256           // bytes of a header, a parameter, a JSON pointer, a literal
	maxTolerance    = 360 * 60 * 60 // seconds; half of the longest window
	maxDecoders     = 4             // of a variable
	maxMembers      = 16            // of {members:…}
	maxConditions   = 8             // of a scheme, and of each list of a handshake
	maxParameters   = 16
	maxHandshakes   = 8
	maxAnswerFields = 16
)

// Bounds of a request.
const (
	maxCandidates       = 16   // signatures tried, each with every key
	maxPublicCandidates = 4    // of algorithms with public keys, which cost more
	maxSignature        = 8192 // bytes of the value that holds signatures
	maxTimestamp        = 64   // bytes
	maxIdentity         = 256  // bytes of an event id and of an event type

	maxSignedHeaders = 32    // that a request names
	maxValues        = 10000 // that "*" stands for
	maxTypes         = 64    // of a batch
	maxXMLDepth      = 64    // open elements
	maxMatched       = 8192  // bytes that a condition looks at
	maxEcho          = 4096  // bytes of a request that get into one place of an answer
	maxHMACInput     = 256   // bytes of a request that get signed

	maxHandshake = 64 << 10 // bytes of the body of a handshake that the sender does not sign
)
