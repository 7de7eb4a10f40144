package document

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
	"time"
)

// nasty are members that cost a reader much, to be repeated.
var nasty = map[string]string{
	"short keys":         `"a":1,`,
	"escaped keys":       `"\n":1,`,
	"unicode keys":       `"\u0061":1,`,
	"escaped names":      `"\u0074\u0079\u0070\u0066":1,`,
	"names but a letter": `"typf":1,`,
	"long escaped keys":  `"` + strings.Repeat(`\u0061`, 12) + `":1,`,
	"the wanted":         `"type":1,`,
	"the wanted, deep":   `"data":{"id":1},`,
	"empty objects":      `"b":{},`,
	"brackets":           `"b":[[[[[[[[{}]]]]]]]],`,
	"long texts":         `"b":"` + strings.Repeat("x", 500) + `",`,
	"escaped texts":      `"b":"` + strings.Repeat(`\n`, 500) + `",`,
	"mixed":              `"a":1,"bcd":"\n","efghi":[1,2,{"x":"y"}],"j":{"k":12.5e3},"lmnopqrs":true,"t":"u v w",`,
}

// BenchmarkFind compares a pass with what can't be avoided: an HMAC over the bytes.
func BenchmarkFind(b *testing.B) {
	paths := Compile([][]string{
		{"type"}, {"data", "id"}, {"notificationItems", "0", "NotificationRequestItem", "pspReference"}, {"TopicArn"}, {"Signature"},
	}, nil)
	for name, member := range nasty {
		text := []byte("{" + strings.Repeat(member, (64<<10)/len(member)) + `"z":1}`)
		if !Valid(text) {
			b.Fatal(name)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			hmacs, finds := time.Hour, time.Hour // the least: others use the machine, too
			for b.Loop() {
				start := time.Now()
				mac := hmac.New(sha256.New, []byte("key"))
				mac.Write(text)
				mac.Sum(nil)
				middle := time.Now()
				paths.Find(text)
				hmacs, finds = min(hmacs, middle.Sub(start)), min(finds, time.Since(middle))
			}
			b.ReportMetric(float64(hmacs.Nanoseconds())/float64(len(text)), "hmac-ns/B")
			b.ReportMetric(float64(finds)/float64(hmacs), "xHMAC")
		})
	}
}
