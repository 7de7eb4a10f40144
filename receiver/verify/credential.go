package verify

import (
	"bytes"
	"errors"
	"strings"
)

// credentialKey is a secret that the sender sends as it is.
type credentialKey []byte

func (k credentialKey) match(_ message, credentials [][]byte) int { return anyEqual(k, credentials) }

func parseBasic(material []byte) (key, error) {
	if !bytes.Contains(material, []byte(":")) {
		return nil, errors.New("it must be written user:password")
	}
	return credentialKey(material), nil
}

// decodeBasic reads "Basic <base64 of user:password>" (RFC 7617). The name of
// the scheme may have any case (RFC 9110 §11.1).
func decodeBasic(value string) ([]byte, error) {
	const scheme = "Basic "
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return nil, errEncoding
	}
	return Base64.decode(strings.TrimLeft(value[len(scheme):], " "))
}
