package conformance

import (
	"strings"
	"testing"

	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// TestCertificatesLeadToTheSender: whoever names a certificate has the receiver fetch
// it. That must be one that the sender serves, and nothing that its users can write.
func TestCertificatesLeadToTheSender(t *testing.T) {
	const (
		sns  = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
		api  = "/?Action=GetEndpointAttributes&EndpointArn=arn:aws:sns:us-east-1:999999999999:endpoint/GCM/app/1&X-Amz-Signature=0"
		cert = "/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
	)
	for preset, test := range map[string]struct {
		host, path string
		good, bad  []string
	}{
		"aws-sns": {
			host: "https://sns.us-east-1.amazonaws.com", path: sns,
			good: []string{
				"https://sns.ap-southeast-3.amazonaws.com" + sns, "https://sns.us-gov-west-1.amazonaws.com" + sns,
				"https://sns.cn-northwest-1.amazonaws.com.cn" + sns, "https://sns.eusc-de-east-1.amazonaws.eu" + sns,
			},
			bad: []string{
				"https://sns.us-east-1.amazonaws.com" + api, "https://sns.us-east-1.amazonaws.com" + sns + api[1:],
				"https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem", "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-.pem",
				"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789ABCDEF0123456789ABCDEF.pem",
				"https://sns.s3-us-west-2.amazonaws.com" + sns, "https://sns.s3-accelerate.amazonaws.com" + sns, "https://sns.s3.amazonaws.com" + sns,
				"https://sns.s3.us-west-2.amazonaws.com" + sns, "https://sns.us-west-2.s3.amazonaws.com" + sns, "https://s3.amazonaws.com/sns" + sns,
				"https://sns.us-east-1.amazonaws.org" + sns, "https://sns.us-east-1.amazonaws.com.evil.cn" + sns, "https://sns.us-east-1-amazonaws.com" + sns,
			},
		},
		"paypal": {
			host: "https://api.paypal.com", path: cert,
			good: []string{"https://api-m.paypal.com" + cert, "https://api.sandbox.paypal.com" + cert, "https://api-m.sandbox.paypal.com" + cert},
			bad: []string{
				"https://www.paypal.com" + cert, "https://api.paypal.com.evil.example" + cert, "https://api.paypal.com/v1/notifications/certs/",
				"https://api.paypal.com/v1/notifications/webhooks-events/CERT-1", "https://www.paypalobjects.com" + cert,
			},
		},
	} {
		t.Run(preset, func(t *testing.T) {
			all := loadSenders(t)
			s, verifier := specimenOf(t, all, preset), all.verifier(t, preset)
			material := s.material(t, &all[preset].Provider)
			named := func(address string) (string, verify.Reason) {
				w := s.wire.with(s.certificate(), address)
				got, err := verifier.Certificate(posted(string(w.body), pairsOf(w)...), material.Parameters)
				return got.URL, reasonOf(t, err)
			}
			for _, address := range append(test.good, test.host+test.path, test.host+":443"+test.path) {
				if got, reason := named(address); got != address || reason != "" {
					t.Errorf("%s: %q, %s", address, got, reason)
				}
			}
			for _, address := range append(test.bad, otherSpellings(test.host, test.path)...) {
				if got, reason := named(address); got != "" || reason != verify.UntrustedCertificate {
					t.Errorf("%s: %q, %q", address, got, reason)
				}
			}
		})
	}
}

// pairsOf are the headers of a wire, names and values.
func pairsOf(w wire) (pairs []string) {
	for _, header := range w.header {
		pairs = append(pairs, header.name, header.value)
	}
	return pairs
}

// otherSpellings are URLs that somebody could take for that of the path at the host.
func otherSpellings(host, path string) []string {
	name := path[strings.LastIndex(path, "/")+1:]
	folder := strings.TrimSuffix(path, name)
	origin := strings.TrimPrefix(host, "https://")
	return []string{
		"http://" + origin + path, "ftp://" + origin + path, "//" + origin + path, origin + path, "https:" + origin + path,
		host + ":8443" + path, host + ":80" + path, host + ":" + path, host + "." + path, strings.ToUpper(host) + path,
		host + "@evil.example" + path, "https://user@" + origin + path, "https://user:word@" + origin + path, host + ":443@evil.example" + path,
		"https://evil.example/" + origin + path, "https://evil.example?" + origin + path, "https://evil.example#" + origin + path,
		`https://evil.example\.` + origin + path, "https://evil.example%2f." + origin + path,
		host + path + "?a=b", host + path + "?", host + path + "#", host + path + "#a", host + path + "/", host + path + "%00", host + path + ";a=b",
		host + "/" + path, host + folder + "/" + name, host + folder + "a/../" + name, host + folder + "./" + name, host + "/.." + path,
		host + folder + "%2e%2e/" + name, host + folder + "%2e/" + name, host + folder + "a%2f..%2f" + name, host + folder + `a\..\` + name,
		host + folder + "%53" + name[1:], host + path + " ", host + path + "\n", " " + host + path, host, host + "/",
	}
}

// TestCertificatesOfRegions: where SNS signs by a certificate of the region's own, no
// other will do, and elsewhere that one won't.
func TestCertificatesOfRegions(t *testing.T) {
	verifier := loadSenders(t).verifier(t, "aws-sns")
	for _, test := range []struct {
		host, name string
		want       verify.Reason
	}{
		{"sns.us-east-2.amazonaws.com", "sns.amazonaws.com", ""},
		{"sns.af-south-1.amazonaws.com", "sns-signing.af-south-1.amazonaws.com", ""},
		{"sns.us-gov-east-1.amazonaws.com", "sns-us-gov-west-1.amazonaws.com", ""},
		{"sns.cn-north-1.amazonaws.com.cn", "sns-cn-north-1.amazonaws.com.cn", ""},
		{"sns.eusc-de-east-1.amazonaws.eu", "sns-signing.eusc-de-east-1.amazonaws.eu", ""},
		{"sns.us-east-2.amazonaws.com", "sns-signing.af-south-1.amazonaws.com", verify.UntrustedCertificate},
		{"sns.cn-north-1.amazonaws.com.cn", "sns-cn-northwest-1.amazonaws.com.cn", verify.UntrustedCertificate},
		{"sns.us-east-2.amazonaws.com", "sns.amazonaws.com.evil.example", verify.UntrustedCertificate},
		{"sns.us-east-2.amazonaws.com", "evil.example.com", verify.UntrustedCertificate},
		{"sns.us-east-2.amazonaws.com", "s3.amazonaws.com", verify.UntrustedCertificate},
	} {
		owner := newTopic(t, test.name)
		r := owner.confirmation(t, topicARN, confirmHere)
		r.Body = []byte(strings.Replace(string(r.Body), "https://sns.us-east-2.amazonaws.com/Simple", "https://"+test.host+"/Simple", 1))
		material := &verify.Material{Certificate: owner.certificate, Roots: owner.roots(), Parameters: verify.Parameters{"topic_arn": {secret.New([]byte(topicARN))}}}
		_, err := verifier.Verify(r, material, trapTime)
		if got := reasonOf(t, err); got != test.want {
			t.Errorf("%s with a certificate for %s: %v, want %q", test.host, test.name, err, test.want)
		}
		material.Roots = nil // nobody vouches for it
		if _, err := verifier.Verify(r, material, trapTime); reasonOf(t, err) != verify.UntrustedCertificate {
			t.Errorf("a certificate for %s that nobody vouches for: %v", test.name, err)
		}
	}
}
