package conformance

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// signedAnswer is a place whose text a handshake signs in its answer.
var signedAnswer = regexp.MustCompile(`\{(header|query|form|json):([^|}]+)\|hmac_[a-z0-9]+\}`)

// TestHandshakesSignNoEvents: some senders have what they write signed with the
// secret of events. Unless they sign it themselves, anybody could have an event
// signed in this way: whatever could be one is refused.
func TestHandshakesSignNoEvents(t *testing.T) {
	all := loadSenders(t)
	signing := 0
	for _, preset := range loadPresets(t) {
		for _, h := range all[preset.Name].Provider.Handshakes {
			at := placeSigned(&h)
			if (at == verify.Location{}) {
				continue
			}
			signing++
			example := handshakeExample(t, preset, h.Name)
			for _, event := range []string{trapBody, "a=b&c=d", "<a/>", "1767225600." + trapBody, "a b", "a\nb", strings.Repeat("a", 300)} {
				w := wireOf(t, &example.Request).with(at, event)
				all.signsNothing(t, preset.Name, example, &h, w)
			}
		}
	}
	if signing < 3 {
		t.Errorf("%d handshakes sign their answer: those of X, Zoom and Braintree do", signing)
	}
}

// placeSigned is the place whose text is signed in an answer.
func placeSigned(h *verify.Handshake) verify.Location {
	texts := []string{h.Answer.Body}
	for _, f := range slices.Concat(h.Answer.JSON, h.Answer.Headers) {
		texts = append(texts, f.Value)
	}
	for _, text := range texts {
		if found := signedAnswer.FindStringSubmatch(text); found != nil {
			switch found[1] {
			case "header":
				return verify.Location{Header: found[2]}
			case "query":
				return verify.Location{Query: found[2]}
			case "form":
				return verify.Location{Form: found[2]}
			default:
				return verify.Location{JSON: found[2]}
			}
		}
	}
	return verify.Location{}
}

// handshakeExample is an example of a handshake that is answered.
func handshakeExample(t *testing.T, preset *v1alpha1.WebhookProvider, name string) *v1alpha1.ProviderTest {
	t.Helper()
	for i := range preset.Spec.Tests {
		if test := &preset.Spec.Tests[i]; test.Expect.Handshake != nil && test.Expect.Handshake.Name == name {
			return test
		}
	}
	t.Fatalf("%s has no example of the handshake %s", preset.Name, name)
	return nil
}

// signsNothing fails the test if w is answered.
func (all senders) signsNothing(t *testing.T, preset string, example *v1alpha1.ProviderTest, h *verify.Handshake, w wire) {
	t.Helper()
	s := specimen{preset: preset, example: example, scheme: &all[preset].Provider.Schemes[0], wire: w}
	verifier, material, r := all.verifier(t, preset), s.material(t, &all[preset].Provider), s.request()
	answer, err := verifier.Handshake(r, material, nil)
	if h.Unsigned && err == nil || answer != nil {
		t.Errorf("%s signs %q for anybody", preset, w.get(placeSigned(h)))
	}
	if h.Unsigned {
		return
	}
	if _, err := verifier.Verify(r, material, s.now()); err == nil {
		t.Errorf("%s takes a handshake for authentic whose text was changed", preset)
	}
}

// TestNobodyCanChangeTheKey: Asana and Notion send the secret in a handshake. It
// is for people to put it into the Secret: a receiver that took what comes would
// take anybody's.
func TestNobodyCanChangeTheKey(t *testing.T) {
	all := loadSenders(t)
	asana, notion := specimenOf(t, all, "asana"), specimenOf(t, all, "notion")
	g := newGround(t, all, []specimen{asana, notion})
	const theirs = "a-secret-of-somebody-else"
	hello := mutant{name: "hello", wire: wire{method: http.MethodPost, header: []field{{"X-Hook-Secret", theirs}}}}
	if status, record := g.send(t, &asana, hello); status/100 != 2 || record.Status != audit.Handshake {
		t.Errorf("the handshake is answered %d (%s)", status, record.Status)
	}
	token := `{"verification_token":"` + theirs + `"}`
	g.try(t, &notion, mutant{name: "token", wire: wire{
		method: http.MethodPost, body: []byte(token), header: []field{{"X-Notion-Signature", "sha256=" + hexMAC(sha256.New, theirs, token)}},
	}})
	signature := hexMAC(sha256.New, theirs, string(asana.wire.body))
	g.try(t, &asana, mutant{name: "their secret", wire: asana.wire.with(verify.Location{Header: "X-Hook-Signature"}, signature)})
	g.accept(t, &asana)
}

// TestChecksumIsNoSignature: PayPal signs the CRC-32 of the body, and a body with
// a certain CRC-32 is easily made. Only that the transmission id counts once
// keeps such a body out.
func TestChecksumIsNoSignature(t *testing.T) {
	all := loadSenders(t)
	s := specimenOf(t, all, "paypal")
	g := newGround(t, all, []specimen{s})
	g.accept(t, &s)
	forged := s.wire
	forged.body = forgery(crc32.ChecksumIEEE(s.wire.body))
	if status, record := g.send(t, &s, mutant{name: "forged", wire: forged}); record.Status != audit.Duplicate {
		t.Errorf("a forged body is answered %d (%s)", status, record.Status)
	}
	again := mutant{name: "under another id", wire: forged.with(verify.Location{Header: "PAYPAL-TRANSMISSION-ID"}, "another-id")}
	g.try(t, &s, again)
}

// forgery is a JSON object that has the CRC-32 sum. Among the texts that have it, it
// takes the first that needs no escapes.
func forgery(sum uint32) []byte {
	for n := 0; ; n++ {
		body := withChecksum(fmt.Appendf(nil, `{"event_type":"PAYMENT.CAPTURE.COMPLETED","amount":1000000,"n":%d,"x":"`, n), []byte(`"}`), sum)
		if json.Valid(body) && utf8.Valid(body) {
			return body
		}
	}
}

// withChecksum puts four bytes between two texts, by which all of it has the CRC-32
// sum.
func withChecksum(before, behind []byte, sum uint32) []byte {
	state := ^sum
	back := func(b byte) {
		i := slices.IndexFunc(crc32.IEEETable[:], func(entry uint32) bool { return entry>>24 == state>>24 })
		state = (state^crc32.IEEETable[i])<<8 | uint32(byte(i)^b)
	}
	for _, b := range slices.Backward(behind) {
		back(b)
	}
	for range 4 {
		back(0)
	}
	body := binary.LittleEndian.AppendUint32(before, state^^crc32.ChecksumIEEE(before))
	return append(body, behind...)
}

// topic is an account's own topic at Amazon SNS: anybody can have one, and have
// its messages signed.
type topic struct {
	key         *rsa.PrivateKey
	certificate []byte
}

func newTopic(t *testing.T, name string) topic {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: trapTime.Add(-time.Hour), NotAfter: trapTime.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return topic{key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// roots are the authorities that trust the topic's certificate, which is its own.
func (o topic) roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.certificate)
	return roots
}

const (
	topicARN    = "arn:aws:sns:us-east-2:123456789012:orders"
	confirmHere = "https://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topicARN + "&Token=2"
)

// confirmation is a signed request to confirm a subscription.
func (o topic) confirmation(t *testing.T, arn, address string) *verify.Request {
	t.Helper()
	members := map[string]string{
		"Type": "SubscriptionConfirmation", "MessageId": "m-1", "Token": "2", "TopicArn": arn, "Message": "Confirm.",
		"SubscribeURL": address, "Timestamp": "2026-01-01T00:00:00.000Z",
	}
	var signed strings.Builder
	for _, name := range []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"} {
		signed.WriteString(name + "\n" + members[name] + "\n")
	}
	digest := sha256.Sum256([]byte(signed.String()))
	signature, err := rsa.SignPKCS1v15(rand.Reader, o.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	members["Signature"], members["SignatureVersion"] = base64.StdEncoding.EncodeToString(signature), "2"
	members["SigningCertURL"] = "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return posted(string(body))
}

// TestConfirmationsLeadToTheSender: any account can have messages signed by
// Amazon SNS. Those of other topics are refused, and a confirmation leads nowhere
// but to Amazon.
func TestConfirmationsLeadToTheSender(t *testing.T) {
	all := loadSenders(t)
	verifier, owner := all.verifier(t, "aws-sns"), newTopic(t, "sns.amazonaws.com")
	material := &verify.Material{Certificate: owner.certificate, Roots: owner.roots(), Parameters: verify.Parameters{"topic_arn": {secret.New([]byte(topicARN))}}}
	confirm := func(arn, address string) (string, error) {
		r := owner.confirmation(t, arn, address)
		verdict, err := verifier.Verify(r, material, trapTime)
		if err != nil {
			return "", err
		}
		answer, err := verifier.Handshake(r, material, &verdict)
		if err != nil {
			return "", err
		}
		return answer.Confirm, nil
	}
	if address, err := confirm(topicARN, confirmHere); err != nil || address != confirmHere {
		t.Errorf("a genuine confirmation leads to %q: %v", address, err)
	}
	if address, err := confirm("arn:aws:sns:us-east-2:999999999999:orders", confirmHere); err == nil {
		t.Errorf("one of another account leads to %q", address)
	}
	_, query, _ := strings.Cut(confirmHere, "?")
	elsewhere := []string{
		"", "https://sns.us-east-2.amazonaws.com/", "https://sns.us-east-2.amazonaws.com/?Action=DeleteTopic&TopicArn=" + topicARN,
		confirmHere + "&Action=DeleteTopic", confirmHere + "#a", strings.Replace(confirmHere, "ConfirmSubscription", "Unsubscribe", 1),
	}
	for _, origin := range []string{
		"http://sns.us-east-2.amazonaws.com/", "https://evil.example.com/", "https://sns.us-east-2.amazonaws.com.evil.example.com/",
		"https://sns.us-east-2.amazonaws.com@evil.example.com/", "https://sns.us-east-2.amazonaws.com:22/", "https://169.254.169.254/",
		"https://sns.s3-us-west-2.amazonaws.com/", "https://sns.us-east-2.amazonaws.com/a", "https://sns.us-east-2.amazonaws.com//",
	} {
		elsewhere = append(elsewhere, origin+"?"+query)
	}
	for _, elsewhere := range elsewhere {
		if address, err := confirm(topicARN, elsewhere); err == nil {
			t.Errorf("one that names %q leads to %q", elsewhere, address)
		}
	}
}

// TestRawMessagesAreNotSigned: with raw message delivery Amazon SNS leaves out
// the envelope, and the signature with it.
func TestRawMessagesAreNotSigned(t *testing.T) {
	all := loadSenders(t)
	s := specimenOf(t, all, "aws-sns")
	raw := posted(s.wire.get(verify.Location{JSON: "/Message"}), "x-amz-sns-rawdelivery", "true", "x-amz-sns-topic-arn", topicARN)
	if reason := all.judgeSpecimen(t, &s, raw, s.now()); reason != verify.MissingSignature {
		t.Errorf("a raw message: %q, want MissingSignature", reason)
	}
}
