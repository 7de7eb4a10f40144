package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
)

// extend computes, without the text, the hash of a text of that length and hash, its
// padding, and what is appended.
func extend(t *testing.T, digest [sha256.Size]byte, length int, appended string) (padding []byte, extended []byte) {
	t.Helper()
	padding = []byte{0x80}
	for (length+len(padding))%sha256.BlockSize != sha256.BlockSize-8 {
		padding = append(padding, 0)
	}
	padding = binary.BigEndian.AppendUint64(padding, uint64(length)*8)
	state := append([]byte("sha\x03"), digest[:]...)
	state = append(state, make([]byte, sha256.BlockSize)...)
	state = binary.BigEndian.AppendUint64(state, uint64(length+len(padding)))
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	_, _ = h.Write([]byte(appended))
	return padding, h.Sum(nil)
}

// TestHashIsNotExtended: a plain hash of the secret and a text tells everybody the hash
// of a longer text.
func TestHashIsNotExtended(t *testing.T) {
	p := signingProvider("{secret}{body}", "{signed_sha256}")
	p.Schemes[0].Algorithm = SHA256
	v := compiledProvider(t, p)
	for length := range 2 * sha256.BlockSize {
		body := strings.Repeat("x", length)
		genuine := sha256.Sum256([]byte(testSecret + body))
		if _, err := v.Verify(post(body, "X-Sig", hexOf(genuine[:])), keysOf(testSecret), now); err != nil {
			t.Fatalf("%d bytes: %v", length, err)
		}
		for _, appended := range []string{"", "y", strings.Repeat("y", 2*sha256.BlockSize)} {
			padding, forged := extend(t, genuine, len(testSecret)+length, appended)
			longer := body + string(padding) + appended
			if want := sha256.Sum256([]byte(testSecret + longer)); !bytes.Equal(want[:], forged) {
				t.Fatal("the hash of the longer text is another one")
			}
			_, err := v.Verify(post(longer, "X-Sig", hexOf(forged)), keysOf(testSecret), now)
			if got := reasonOf(t, err); got != WrongSignature {
				t.Errorf("%d bytes and %d more: %v", length, len(appended), err)
			}
		}
	}
	zeros := strings.Repeat("\x00", 3*sha256.BlockSize)
	genuine := sha256.Sum256([]byte(testSecret + zeros))
	if _, err := v.Verify(post(zeros, "X-Sig", hexOf(genuine[:])), keysOf(testSecret), now); err != nil {
		t.Errorf("a body of zeros: %v", err)
	}
}

// TestNoBodyBesideWhatIsSigned: what is signed of a GET is in its URL, and nobody must
// put a body beside it.
func TestNoBodyBesideWhatIsSigned(t *testing.T) {
	p := signingProvider("{query:payload}", "{signed_sha256}")
	p.Schemes[0].Methods, p.Schemes[0].BodyUnsigned = []string{http.MethodGet, http.MethodPut}, true
	v := compiledProvider(t, p)
	for method, want := range map[string]Reason{http.MethodGet: MalformedBody, http.MethodPut: ""} {
		for body, want := range map[string]Reason{"": "", "forged": want} {
			r := post(body, "X-Sig", hexOf(hmacOf(testSecret, "1")))
			r.Method, r.RawQuery = method, "payload=1"
			_, err := v.Verify(r, keysOf(testSecret), now)
			if got := reasonOf(t, err); got != want {
				t.Errorf("%s with the body %q: %v, want %q", method, body, err, want)
			}
		}
	}
}
