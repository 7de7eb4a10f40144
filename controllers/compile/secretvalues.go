package compile

import "sallyport.dev/sallyport/receiver/secret"

// SecretValues reads an entry of a Secret as the secret of an endpoint: one
// newline at the end is not part of it, and a JSON list of texts is several,
// newest first. The error says what is wrong with a list, and shows nothing of it.
func SecretValues(entry []byte) ([]secret.Value, error) {
	value, _ := trimNewline(entry)
	return listed(value)
}
