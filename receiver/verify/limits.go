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
	maxRequirements = 8
	maxName         = 256          // bytes of a header, a parameter, a JSON pointer, a literal
	maxTolerance    = 24 * 60 * 60 // seconds
)

// Bounds of a request.
const (
	maxCandidates = 16   // signatures tried, each with every key
	maxSignature  = 8192 // bytes of the value that holds signatures
	maxTimestamp  = 64   // bytes
	maxIdentity   = 256  // bytes of an event id and of an event type
)
