package deliver

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/store"
	"sallyport.dev/sallyport/receiver/verify"
)

// hopByHop headers concern one connection only (RFC 9110 §7.6.1).
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect", "Host",
}

// ownPrefix is of the headers that we add for targets.
const ownPrefix = "Sallyport-"

// IsOwn reports whether a header of that name, in any form, would speak in our name.
// Underscores count as hyphens, because CGI and its successors don't distinguish them.
func IsOwn(name string) bool {
	return len(name) >= len(ownPrefix) && strings.EqualFold(strings.ReplaceAll(name[:len(ownPrefix)], "_", "-"), ownPrefix)
}

// endToEnd copies the headers that are not about one connection, and not ours.
func endToEnd(original http.Header) http.Header {
	header := original.Clone()
	if header == nil {
		header = http.Header{}
	}
	for _, list := range original["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
	for name := range header {
		if IsOwn(name) {
			delete(header, name)
		}
	}
	return header
}

// withOwn adds the headers that are ours, by their canonical names.
func withOwn(header http.Header, event *store.Event, number int) {
	own := [...]struct{ name, value string }{
		{"Sallyport-Event-Id", verify.HeaderID(event.ID)},
		{"Sallyport-Event-Type", event.Type},
		{"Sallyport-Provider", event.Provider},
		{"Sallyport-Endpoint", event.Endpoint},
		{"Sallyport-Received-At", event.ReceivedAt.UTC().Format(time.RFC3339Nano)},
		{"Sallyport-Attempt", strconv.Itoa(number)},
		{"Sallyport-Request-Id", event.RequestID},
	}
	values := make([]string, len(own))
	for i := range own {
		values[i] = own[i].value
		header[own[i].name] = values[i : i+1 : i+1]
	}
	if event.TraceParent != "" {
		header.Set("Traceparent", event.TraceParent)
	}
	if _, ok := header["User-Agent"]; !ok {
		header["User-Agent"] = nil // or the transport would add its own
	}
	// A target may close a kept connection in the moment in which a request is written to
	// it. The transport makes such a request again on another connection, but only if it
	// may be made twice, as all of ours may: targets deduplicate. This is how to say so;
	// nothing of it is sent.
	if _, ok := header[idempotencyKey]; !ok {
		header[idempotencyKey] = nil
	}
}

// idempotencyKey is a header by which net/http knows a request that may be made twice.
const idempotencyKey = "X-Idempotency-Key"

// isNamed reports whether a header has a name, which is in lower case. Underscores count
// as hyphens, as they do for CGI and what comes after it.
func isNamed(header, name string) bool {
	if len(header) != len(name) {
		return false
	}
	for i := range len(name) {
		c := header[i]
		switch {
		case c == '_':
			c = '-'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// forwarding are the headers, in lower case, by which proxies say what the URL of a
// request was. Frameworks differ in which of them they believe.
var forwarding = []string{"forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-uri"}

// withURL says what the URL was that the sender used. What proxies and the sender
// wrote of it goes: it may be of one of the hops only, or made up.
func withURL(header http.Header, address string) {
	origin, rest, ok := strings.Cut(address, "://")
	if !ok {
		return
	}
	host, uri := rest, "/"
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		host, uri = rest[:at], rest[at:]
	}
	for name := range header {
		if slices.ContainsFunc(forwarding, func(f string) bool { return isNamed(name, f) }) {
			delete(header, name)
		}
	}
	header.Set(ownPrefix+"Url", address)
	header.Set("X-Forwarded-Host", host)
	header.Set("X-Forwarded-Proto", origin)
	header.Set("X-Forwarded-Uri", uri)
}
