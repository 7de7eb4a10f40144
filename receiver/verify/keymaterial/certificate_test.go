package keymaterial

import (
	"bytes"
	"encoding/pem"
	"strings"
	"testing"
)

// TestParseCertificates: a document in which somebody else's text can stand is not
// the sender's certificate.
func TestParseCertificates(t *testing.T) {
	private, another := newP256(t), newP256(t)
	one, two := string(selfSigned(t, private)), string(selfSigned(t, another))
	headed := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"A": "b"}, Bytes: []byte("x")}))
	broken := "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
	for name, test := range map[string]struct {
		document string
		want     int // certificates; 0: it is none
	}{
		"one":                      {one, 1},
		"one without a line break": {strings.TrimSpace(one), 1},
		"two":                      {one + two, 2},
		"white space":              {one + "\r\n \t" + two + "\n\n", 2},
		"lines that end as in DOS": {strings.ReplaceAll(one+two, "\n", "\r\n"), 2},
		"nothing":                  {"", 0},
		"white space only":         {"\n", 0},
		"a page":                   {"<html>", 0},
		"quoted in XML":            {"<a>\n" + one + "</a>", 0},
		"white space before":       {"\n" + one, 0},
		"a mark before":            {"\ufeff" + one, 0},
		"text before":              {"subject=CN = one\n" + one, 0},
		"text between":             {one + "subject=CN = another\n" + two, 0},
		"text behind":              {one + "</a>", 0},
		"text behind the end":      {strings.TrimSpace(one) + "</a>", 0},
		"a zero behind":            {one + "\x00", 0},
		"a line of its own before": {"-----BEGIN CERTIFICATE-----\n</a>\n" + one, 0},
		"a broken one before":      {broken + one, 0},
		"a broken one between":     {one + broken + two, 0},
		"a broken one behind":      {one + broken, 0},
		"a key behind":             {one + publicPEM(t, private), 0},
		"a key":                    {publicPEM(t, private), 0},
		"headers":                  {headed, 0},
		"no certificate in PEM":    {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), 0},
		"cut":                      {one[:len(one)/2], 0},
		"as many as there may be":  {strings.Repeat(one, MaxCertificates), MaxCertificates},
		"one more":                 {strings.Repeat(one, MaxCertificates+1), 0},
		"more than there may be":   {one + strings.Repeat("\n", MaxCertificateBytes), 0},
		"as large as it may be":    {one + strings.Repeat("\n", MaxCertificateBytes-len(one)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCertificates([]byte(test.document))
			if len(got) != test.want || (err == nil) != (test.want > 0) {
				t.Errorf("%d certificates, %v; want %d", len(got), err, test.want)
			}
			if test.want > 0 && !private.PublicKey.Equal(got[0].PublicKey) {
				t.Error("the first one is not the first one")
			}
		})
	}
}

// FuzzParseCertificates: what is read is all that is there.
func FuzzParseCertificates(f *testing.F) {
	one := selfSigned(f, newP256(f))
	f.Add(one, []byte("\n"), one)
	f.Add([]byte("<a>"), one, []byte("</a>"))
	f.Add(one, []byte("-----BEGIN CERTIFICATE-----\n"), one)
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		document := bytes.Join([][]byte{a, b, c}, nil)
		got, err := ParseCertificates(document)
		if err != nil {
			return
		}
		if strings.Count(string(document), "-----BEGIN CERTIFICATE-----") != len(got) || bytes.ContainsAny(document, "<>") {
			t.Fatalf("%d certificates in %q", len(got), document)
		}
	})
}
