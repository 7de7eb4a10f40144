package route

import (
	"bytes"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sallyport.dev/sallyport/receiver/match"
	"sallyport.dev/sallyport/receiver/secret"
	"sallyport.dev/sallyport/receiver/verify"
)

// equalRoutes compares secrets by value, and times by instant.
var equalRoutes = cmp.Options{
	cmp.Comparer(func(a, b secret.Value) bool { return a.Equal(b.Reveal()) }),
	cmpopts.EquateComparable(netip.Prefix{}),
}

func fullRoute() Route {
	r := testRoute("stripe")
	notAfter := time.Unix(1700003600, 0).UTC()
	r.Keys = append(r.Keys, Key{Name: KeyName(1), NotAfter: &notAfter, Value: secret.New([]byte("\x00previous\xff"))})
	r.Parameters = []Parameter{
		{Name: "topic", Entry: ParameterEntry(0), Value: secret.New([]byte("orders"))},
		{Name: "topic", Entry: ParameterEntry(1), Value: secret.New([]byte("returns"))},
		{Name: "verify_token", Entry: ParameterEntry(2), Value: secret.New([]byte("hunter3"))},
	}
	r.Fetched = map[string]string{"https://example.com/jwks": `{"keys":[]}`}
	r.Responses = Responses{
		Success:         &Response{Status: 202, ContentType: "text/plain", Body: "[accepted]"},
		Unauthenticated: 498, Malformed: 401, Overloaded: 503,
	}
	r.AckTime = Duration(10 * time.Second)
	r.PublicURL = "https://hooks.example.com/billing/stripe"
	r.Deduplication.RememberContent = true
	r.Limits.SourceRanges = []netip.Prefix{netip.MustParsePrefix("192.30.252.0/22"), netip.MustParsePrefix("2001:db8::/32")}
	r.Limits.RateLimit = &RateLimit{PerSecond: 500, Burst: 1000}
	r.Routes = []EventRoute{
		{Name: "invoices", Match: match.Rule{Types: []string{"invoice.*"}, Expression: "event.body.livemode"}, Target: r.Target},
		{Name: "all", Target: r.Target},
	}
	r.Target.Signing = &Signing{Entry: SigningEntry(0), Key: secret.New([]byte("hunter4"))}
	r.Routes[1].Target.Signing = &Signing{Entry: SigningEntry(2), Key: secret.New([]byte("\x00hunter5"))}
	return r
}

func TestDecodeReadsWhatEncodeWrote(t *testing.T) {
	unavailable := testRoute("stripe")
	unavailable.Unavailable, unavailable.Keys = "there is no Secret stripe-webhook", nil
	unresolved := testRoute("stripe")
	unresolved.Target.Port, unresolved.Target.Unresolved = 0, "there is no Service billing-api"
	routesOnly := fullRoute()
	routesOnly.Target = Target{}
	published := testRoute("stripe")
	published.Provider.Schemes[0].KeySource = &verify.KeySource{JWKSURL: "https://example.com/jwks"}
	published.Keys = nil
	for name, want := range map[string]Route{
		"small": testRoute("stripe"), "full": fullRoute(), "unavailable": unavailable, "unresolved": unresolved, "routes only": routesOnly, "keys of the sender": published,
	} {
		t.Run(name, func(t *testing.T) {
			data, err := Encode(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, equalRoutes); diff != "" {
				t.Errorf("the route has changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncodeIsDeterministicAndKeepsSecretsOutOfTheDocument(t *testing.T) {
	first, err := Encode(fullRoute())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(fullRoute())
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(first, again, bytes.Equal) {
		t.Error("equal routes are not encoded equally")
	}
	for _, value := range []string{"hunter2", "hunter3", "hunter4", "hunter5", "previous", "orders"} {
		if bytes.Contains(first[document], []byte(value)) {
			t.Errorf("%s holds a secret: %s", document, first[document])
		}
	}
	if string(first["key-0"]) != "hunter2" || string(first["key-1"]) != "\x00previous\xff" ||
		string(first["param-1"]) != "returns" || string(first["param-2"]) != "hunter3" ||
		string(first["signing-0"]) != "hunter4" || string(first["signing-2"]) != "\x00hunter5" || len(first) != 8 {
		t.Errorf("the entries are %q", first)
	}
}

func TestDecodeFailsClosed(t *testing.T) {
	data := func(change func(map[string][]byte)) map[string][]byte {
		r := testRoute("stripe")
		r.Parameters = []Parameter{{Name: "topic", Entry: ParameterEntry(0), Value: secret.New([]byte("orders"))}}
		encoded, err := Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		change(encoded)
		return encoded
	}
	replace := func(old, with string) func(map[string][]byte) {
		return func(d map[string][]byte) { d[document] = bytes.Replace(d[document], []byte(old), []byte(with), 1) }
	}
	for name, test := range map[string]struct {
		data map[string][]byte
		says string
	}{
		"nothing":               {nil, "no entry"},
		"garbage":               {data(func(d map[string][]byte) { d[document] = []byte("garbage") }), "not a route"},
		"an unknown field":      {data(replace(`"path":`, `"onlyOnSundays":true,"path":`)), "onlyOnSundays"},
		"an unknown deep field": {data(replace(`"maxBodyBytes":`, `"minBodyBytes":1,"maxBodyBytes":`)), "minBodyBytes"},
		"two values":            {data(func(d map[string][]byte) { d[document] = append(d[document], "{}"...) }), "after top-level value"},
		"too long":              {data(func(d map[string][]byte) { d[document] = append(d[document], make([]byte, maxDocument)...) }), "at most"},
		"a missing key":         {data(func(d map[string][]byte) { delete(d, "key-0") }), `"key-0"`},
		"an extra key":          {data(func(d map[string][]byte) { d["key-7"] = []byte("x") }), "key-7"},
		"an empty key":          {data(func(d map[string][]byte) { d["key-0"] = nil }), "empty or blank"},
		"a blank key":           {data(func(d map[string][]byte) { d["key-0"] = []byte(" \n\t") }), "empty or blank"},
		"a missing parameter":   {data(func(d map[string][]byte) { delete(d, "param-0") }), `"param-0"`},
		"an extra parameter":    {data(func(d map[string][]byte) { d["param-1"] = []byte("x") }), "param-1"},
		"an empty parameter":    {data(func(d map[string][]byte) { d["param-0"] = nil }), "empty or blank"},
		"a shared entry":        {data(replace(`"param-0"`, `"key-0"`)), "does not mention: param-0"},
		"a wrong response":      {data(replace(`"target":`, `"responses":{"malformed":200},"target":`)), "responses.malformed"},
		"a source that is gone": {data(replace(`"target":`, `"responses":{"forbidden":410},"target":`)), "responses.forbidden is 410: it must be from 400 to 599 and not 410"},
		"a size that is right":  {data(replace(`"target":`, `"responses":{"tooLarge":200},"target":`)), "responses.tooLarge"},
		"what is no event":      {data(replace(`"target":`, `"responses":{"invalid":500},"target":`)), "responses.invalid is 500: it must be from 400 to 499 and not 410"},
		"a foreign path":        {data(replace(`"/billing/stripe"`, `"/payroll/stripe"`)), `"/billing/"`},
		"a wrong duration":      {data(replace(`"10s"`, `"soon"`)), "duration"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(test.data)
			if err == nil {
				t.Fatal("the route is decoded")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error does not name %q: %v", test.says, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestDecodeTellsUnknownVersionsApart(t *testing.T) {
	for _, text := range []string{`{"version":2,"somethingNew":{}}`, `{"version":99}`, `{}`} {
		_, err := Decode(map[string][]byte{document: []byte(text)})
		if _, ok := errors.AsType[*UnknownVersionError](err); !ok {
			t.Errorf("the error of %s is %v, want an UnknownVersionError", text, err)
		}
	}
}

func TestValidateReportsEveryMistake(t *testing.T) {
	err := Route{}.Validate()
	for _, field := range []string{
		"version", "endpoint", "path", "keys", "target is missing",
		"delivery.maxInFlight", "delivery.timeout", "maxAttempts", "minBackoff", "maxBackoff", "maxAge",
		"deduplication.window", "limits.maxBodyBytes",
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not reported in:\n%v", field, err)
		}
	}
	if _, err := Encode(Route{}); err == nil {
		t.Error("an invalid route is encoded")
	}
}

func TestValidateFindsSingleMistakes(t *testing.T) {
	for says, change := range map[string]func(*Route){
		"target.namespace":       func(r *Route) { r.Target.Namespace = "payroll" },
		"publicURL":              func(r *Route) { r.PublicURL = "/billing/stripe" },
		"longer than maxBackoff": func(r *Route) { r.Delivery.Retry.MinBackoff = Duration(2 * time.Hour) },
		"limits.rateLimit":       func(r *Route) { r.Limits.RateLimit = &RateLimit{PerSecond: 1} },
		"delivery.rateLimit":     func(r *Route) { r.Delivery.RateLimit = &RateLimit{Burst: 1} },
		"at most 30s": func(r *Route) {
			r.Delivery.Sync, r.Delivery.Timeout = true, Duration(MaxSyncTimeout+1)
		},
		"limits.sourceRanges[0]": func(r *Route) { r.Limits.SourceRanges = []netip.Prefix{{}} },
		"limits.maxBodyBytes":    func(r *Route) { r.Limits.MaxBodyBytes = MaxBodyBytes + 1 },
		"keys is empty":          func(r *Route) { r.Keys = nil },
		"parameters[0].name":     func(r *Route) { r.Parameters = []Parameter{{Entry: "param-0", Value: r.Keys[0].Value}} },
		"parameters[0].entry":    func(r *Route) { r.Parameters = []Parameter{{Name: "topic", Entry: "key-0", Value: r.Keys[0].Value}} },
		"parameters[0] is empty": func(r *Route) { r.Parameters = []Parameter{{Name: "topic", Entry: "param-0"}} },
		"has 0 bytes":            func(r *Route) { r.Fetched = map[string]string{"https://example.com/": ""} },
		"has 65537 bytes": func(r *Route) {
			r.Fetched = map[string]string{"https://example.com/": strings.Repeat("x", MaxFetched+1)}
		},
		"ackTime is -1s":          func(r *Route) { r.AckTime = Duration(-time.Second) },
		"ackTime is 1m1s":         func(r *Route) { r.AckTime = Duration(MaxAckTime + time.Second) },
		"unauthenticated is 200":  func(r *Route) { r.Responses.Unauthenticated = 200 },
		"unauthenticated is 410":  func(r *Route) { r.Responses.Unauthenticated = 410 },
		"malformed is 500":        func(r *Route) { r.Responses.Malformed = 500 },
		"overloaded is 200":       func(r *Route) { r.Responses.Overloaded = 200 },
		"success.status is 300":   func(r *Route) { r.Responses.Success = &Response{Status: 300} },
		"success.body":            func(r *Route) { r.Responses.Success = &Response{Status: 204, Body: "x"} },
		"success.contentType":     func(r *Route) { r.Responses.Success = &Response{Status: 200, ContentType: "a\r\nb", Body: "x"} },
		"that of an earlier key":  func(r *Route) { r.Keys = append(r.Keys, r.Keys[0]) },
		"an entry of its own":     func(r *Route) { r.Keys[0].Name = document },
		"must start with \"/bill": func(r *Route) { r.Path = "/billing/" },
		"target.port":             func(r *Route) { r.Target.Port = 65536 },
		"target.service":          func(r *Route) { r.Target.Service = "" },
		"target.scheme":           func(r *Route) { r.Target.Scheme = "ftp" },
		"target.path":             func(r *Route) { r.Target.Path = "in" },
		"target is missing":       func(r *Route) { r.Target = Target{} },
		"routes has 17":           func(r *Route) { r.Routes = make([]EventRoute, MaxRoutes+1) },
		"routes[0].name is empty": func(r *Route) { r.Routes = []EventRoute{{Target: r.Target}} },
		"of an earlier route": func(r *Route) {
			r.Routes = []EventRoute{{Name: "a", Target: r.Target}, {Name: "a", Target: r.Target}}
		},
		"routes[0].target.namespace": func(r *Route) {
			r.Routes = []EventRoute{{Name: "a", Target: r.Target}}
			r.Routes[0].Target.Namespace = "payroll"
		},
		"target.ca is set and the scheme": func(r *Route) { r.Target.CA = "x" },
		"target.ca has 16385 bytes":       func(r *Route) { r.Target.Scheme, r.Target.CA = "https", strings.Repeat("x", MaxCA+1) },
		"target.ca holds no certificate":  func(r *Route) { r.Target.Scheme, r.Target.CA = "https", "x" },
		"target.signing is empty":         func(r *Route) { r.Target.Signing = &Signing{Entry: SigningEntry(0)} },
		"routes[0].target.signing.entry": func(r *Route) {
			signed := r.Target
			signed.Signing = &Signing{Entry: KeyName(0), Key: r.Keys[0].Value}
			r.Routes = []EventRoute{{Name: "a", Target: signed}}
		},
		"routes[0].target.service": func(r *Route) { r.Routes = []EventRoute{{Name: "a"}} },
	} {
		r := testRoute("stripe")
		change(&r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the mistake %q is reported as %v", says, err)
		}
	}
	if err := testRoute("stripe").Validate(); err != nil {
		t.Errorf("a valid route is refused: %v", err)
	}
}

// Whatever is in a Secret, Decode neither panics nor returns a route that it
// would itself refuse, and what it returns survives another round.
func FuzzDecode(f *testing.F) {
	for _, r := range []Route{testRoute("stripe"), fullRoute()} {
		data, err := Encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[document], data["key-0"])
	}
	f.Add([]byte(`{"version":2}`), []byte(nil))
	f.Fuzz(func(t *testing.T, text, key []byte) {
		r, err := Decode(map[string][]byte{document: text, "key-0": key})
		if err != nil {
			return
		}
		data, err := Encode(r)
		if err != nil {
			t.Fatalf("a decoded route is not encoded: %v", err)
		}
		again, err := Decode(data)
		if err != nil {
			t.Fatalf("an encoded route is not decoded: %v", err)
		}
		if diff := cmp.Diff(r, again, equalRoutes, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)); diff != "" {
			t.Errorf("the route has changed (-before +after):\n%s", diff)
		}
	})
}
