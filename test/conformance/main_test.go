package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sallyport.dev/sallyport/provider"
)

// TestMain makes the certificates of examples and vectors trusted roots. It has
// to be done before anything is verified: crypto/x509 looks for roots once.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "conformance")
	if err == nil {
		err = trustAll(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// trustAll has crypto/x509 read the certificates from a folder, beside those of
// the system.
func trustAll(folder string) error {
	examples, err := exampleKeys()
	if err != nil {
		return err
	}
	vectors, err := vectorKeys()
	if err != nil {
		return err
	}
	text := append(examples, vectors...) // what else is among them is skipped
	if err := os.WriteFile(filepath.Join(folder, "trusted.pem"), text, 0o600); err != nil {
		return err
	}
	return os.Setenv("SSL_CERT_DIR", folder)
}

// exampleKeys are what senders publish in the examples of the presets.
func exampleKeys() ([]byte, error) {
	var keys []byte
	presets, err := provider.Presets()
	for _, preset := range presets {
		for _, test := range preset.Spec.Tests {
			keys = append(append(keys, test.Key...), '\n')
		}
	}
	return keys, err
}

// vectorKeys are the certificates of the vectors; none without vectors. The
// vectors don't hold the chains that led from them to the roots of their time.
func vectorKeys() (keys []byte, err error) {
	folder := os.Getenv("SALLYPORT_VECTORS")
	if folder == "" {
		return nil, nil
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var v vector
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			keys = append(append(keys, v.Key["x509_pem"]...), '\n')
		}
	}
	return keys, nil
}
