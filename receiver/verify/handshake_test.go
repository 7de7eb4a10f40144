package verify

import (
	"crypto/hmac"
	"crypto/sha1" // Braintree's key
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Conditions and answers that handshakes share.
func queryIs(name string) Condition { return Condition{Location: Location{Query: name}} }
func headerIs(name, value string) Condition {
	return Condition{Location: Location{Header: name}, Equals: value}
}
func jsonIs(pointer, value string) Condition {
	return Condition{Location: Location{JSON: pointer}, Equals: value}
}
func answerText(body string) HandshakeAnswer { return HandshakeAnswer{Status: 200, Body: body} }
func answerJSON(pairs ...string) HandshakeAnswer {
	a := HandshakeAnswer{Status: 200}
	for i := 0; i < len(pairs); i += 2 {
		a.JSON = append(a.JSON, Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return a
}

// shaking is a provider that signs the body as GitHub does, with handshakes.
func shaking(handshakes ...Handshake) Provider {
	p := githubLike
	p.Handshakes = handshakes
	return p
}

// ofFormat is a provider all of whose schemes demand a format of the body.
func ofFormat(format BodyFormat, p Provider) Provider {
	p.Schemes = slices.Clone(p.Schemes)
	for i := range p.Schemes {
		p.Schemes[i].BodyFormat = format
	}
	return p
}

// The handshakes of senders, as their documentation describes them.
var (
	slackLike = shaking(Handshake{
		Name: "url_verification", Method: "POST", Match: []Condition{jsonIs("/type", "url_verification")}, Answer: answerText("{json:/challenge}"),
	})
	metaLike = Provider{
		Name: "meta-like", Schemes: githubLike.Schemes, Identity: githubLike.Identity,
		Parameters: []Parameter{{Name: "verify_token", Required: true, Sensitive: true}},
		Handshakes: []Handshake{{
			Name: "hub.challenge", Method: "GET", Unsigned: true, Match: []Condition{queryIs("hub.challenge")},
			Guard: []Condition{
				{Location: Location{Query: "hub.mode"}, Equals: "subscribe"},
				{Location: Location{Query: "hub.verify_token"}, Parameter: "verify_token"},
			},
			Answer: answerText("{query:hub.challenge}"),
		}},
	}
	xLike = ofFormat(JSONObject, shaking(Handshake{
		Name: "crc", Method: "GET", Unsigned: true, Match: []Condition{queryIs("crc_token")},
		Guard:  []Condition{{Location: Location{Query: "crc_token"}, Pattern: `[A-Za-z0-9_=.\-]{1,128}`}},
		Answer: answerJSON("response_token", "sha256={query:crc_token|hmac_base64}"),
	}))
	zoomLike = shaking(Handshake{
		Name: "url_validation", Method: "POST", Match: []Condition{jsonIs("/event", "endpoint.url_validation")},
		Answer: answerJSON("plainToken", "{json:/payload/plainToken}", "encryptedToken", "{json:/payload/plainToken|hmac_hex}"),
	})
	dropboxLike = shaking(Handshake{
		Name: "challenge", Method: "GET", Unsigned: true, Match: []Condition{queryIs("challenge")}, Answer: answerText("{query:challenge}"),
	})
	oktaLike = shaking(Handshake{
		Name: "verification", Method: "GET", Unsigned: true,
		Match:  []Condition{{Location: Location{Header: "x-okta-verification-challenge"}}},
		Answer: answerJSON("verification", "{header:x-okta-verification-challenge}"),
	})
	twitchLike = shaking(Handshake{
		Name: "callback_verification", Method: "POST",
		Match:  []Condition{headerIs("Twitch-Eventsub-Message-Type", "webhook_callback_verification")},
		Answer: answerText("{json:/challenge}"),
	})
	discordLike = shaking(
		Handshake{Name: "event-ping", Method: "POST", Match: []Condition{jsonIs("/type", "0")}, Answer: HandshakeAnswer{Status: 204}},
		Handshake{
			Name: "interaction-ping", Method: "POST",
			Match: []Condition{jsonIs("/type", "1"), {Location: Location{JSON: "/application_id"}}}, Answer: answerJSON("type", "1"),
		},
	)
	cloudEventsLike = Provider{
		Name: "cloudevents-like", Schemes: tokenLike.Schemes, Identity: tokenLike.Identity,
		Parameters: []Parameter{{Name: "allowed_origins"}},
		Handshakes: []Handshake{{
			Name: "abuse-protection", Method: "OPTIONS", Unsigned: true, Match: []Condition{{Location: Location{Header: "WebHook-Request-Origin"}}},
			Guard: []Condition{{Location: Location{Header: "WebHook-Request-Origin"}, Parameter: "allowed_origins"}},
			Answer: HandshakeAnswer{Status: 200, Headers: []Field{
				{"WebHook-Allowed-Origin", "{header:WebHook-Request-Origin}"}, {"WebHook-Allowed-Rate", "{header:WebHook-Request-Rate}"}, {"Allow", "POST"},
			}},
		}},
	}
	eventGridLike = shaking(Handshake{
		Name: "subscription_validation", Method: "POST", Unsigned: true, Match: []Condition{headerIs("aeg-event-type", "SubscriptionValidation")},
		Answer: answerJSON("validationResponse", "{json:/0/data/validationCode}"),
	})
	graphLike = shaking(Handshake{
		Name: "validationToken", Method: "POST", Unsigned: true, Match: []Condition{queryIs("validationToken")}, Answer: answerText("{query:validationToken}"),
	})
	trelloLike    = shaking(Handshake{Name: "head", Method: "HEAD", Unsigned: true, Answer: HandshakeAnswer{Status: 200}})
	braintreeLike = Provider{
		Name: "braintree-like",
		Schemes: []Scheme{{
			Name: "default", Algorithm: HMACSHA1, Key: []string{"sha1"}, Content: "{form:bt_payload}",
			Signature: Signature{From: []Location{{Form: "bt_signature"}}, Pairs: &Pairs{Separator: "&", Equals: "|"}, Encoding: Hex},
		}},
		Identity: Identity{ID: []string{"{form:bt_payload|base64|xml:/notification/timestamp}:{form:bt_payload|base64|xml:/notification/kind}"}},
		Handshakes: []Handshake{{
			Name: "bt_challenge", Method: "GET", Unsigned: true, Match: []Condition{queryIs("bt_challenge")},
			Guard:  []Condition{{Location: Location{Query: "bt_challenge"}, Pattern: `[a-f0-9]{20,32}`}},
			Answer: answerText("{key_id}|{query:bt_challenge|hmac_hex}"),
		}},
	}
	mondayLike = shaking(Handshake{
		Name: "challenge", Method: "POST", Unsigned: true, Match: []Condition{{Location: Location{JSON: "/challenge"}}},
		Answer: answerJSON("challenge", "{json:/challenge}"),
	})
	snsConfirm = Provider{
		Name: "sns-like", Schemes: githubLike.Schemes, Identity: githubLike.Identity, Parameters: []Parameter{{Name: "topics", Required: true}},
		Handshakes: []Handshake{{
			Name: "subscription", Method: "POST", Match: []Condition{jsonIs("/Type", "SubscriptionConfirmation")},
			Guard:  []Condition{{Location: Location{JSON: "/TopicArn"}, Parameter: "topics"}},
			Answer: HandshakeAnswer{Status: 200},
			Confirm: &Confirmation{
				From: Location{JSON: "/SubscribeURL"}, HostPattern: `sns\.[a-z]{2}(-[a-z]+)+-[0-9]\.amazonaws\.com`,
				PathPattern: "/", QueryPattern: `Action=ConfirmSubscription&Token=[0-9a-f]+`,
			},
		}},
	}
)

// signedPost signs a body as githubLike does.
func signedPost(body string, pairs ...string) *Request {
	return post(body, append(pairs, "X-Hub-Signature-256", "sha256="+hexOf(hmacOf(testSecret, body)))...)
}

// handshakeCase is a handshake and what comes of it.
type handshakeCase struct {
	provider   *Provider
	request    *Request
	secret     string // testSecret by default
	parameters Parameters
	want       *Answer // nil and no reason: it is no handshake
	reason     Reason
}

// textAnswer is an answer of text/plain.
func textAnswer(name, body string) *Answer {
	return &Answer{Handshake: name, Status: 200, Body: []byte(body), Header: http.Header{
		"Content-Type": {"text/plain"}, "X-Content-Type-Options": {"nosniff"},
	}}
}

func jsonAnswer(name, body string) *Answer {
	a := textAnswer(name, body)
	a.Header.Set("Content-Type", "application/json")
	return a
}

// emptyAnswer has no body, and pairs of header names and values.
func emptyAnswer(name string, status int, pairs ...string) *Answer {
	a := &Answer{Handshake: name, Status: status, Header: http.Header{"X-Content-Type-Options": {"nosniff"}}}
	for i := 0; i < len(pairs); i += 2 {
		a.Header.Set(pairs[i], pairs[i+1])
	}
	return a
}

func (c *handshakeCase) run(t *testing.T) {
	t.Helper()
	if c.secret == "" {
		c.secret = testSecret
	}
	m := keysOf(c.secret)
	m.Parameters = c.parameters
	v := compiledProvider(t, *c.provider)
	got, err := v.Handshake(c.request, m, nil)
	if got == nil && err == nil {
		if verdict, verifyErr := v.Verify(c.request, m, now); verifyErr != nil {
			err = verifyErr
		} else {
			got, err = v.Handshake(c.request, m, &verdict)
		}
	}
	if reason := reasonOf(t, err); reason != c.reason {
		t.Fatalf("%v, want %q", err, c.reason)
	}
	if diff := cmp.Diff(c.want, got); diff != "" {
		t.Error(diff)
	}
}

// TestHandshakes: what senders send, and what they want to see.
func TestHandshakes(t *testing.T) {
	slackBody := `{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`
	zoomBody := `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680}`
	zoomSigned := post(zoomBody, "X-Hub-Signature-256", "sha256="+hexOf(hmacOf("zoom-secret-token", zoomBody)))
	snsBody := `{"Type":"SubscriptionConfirmation","TopicArn":"arn:1","SubscribeURL":"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=1"}`
	confirm := emptyAnswer("subscription", 200)
	confirm.Confirm = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=1"
	origins := parametersOf("allowed_origins", "other.example.com", "allowed_origins", "eventemitter.example.com")
	origin := func(pairs ...string) *Request {
		r := get("", append(pairs, "WebHook-Request-Origin", "eventemitter.example.com")...)
		r.Method = "OPTIONS"
		return r
	}
	head := get("")
	head.Method = "HEAD"
	graph := post("", "Content-Type", "text/plain")
	graph.RawQuery = "validationToken=Validation%3A+Testing+client+application+reachability"
	for name, c := range map[string]handshakeCase{
		"Slack":           {provider: &slackLike, request: signedPost(slackBody), want: textAnswer("url_verification", "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")},
		"Slack, unsigned": {provider: &slackLike, request: post(slackBody), reason: MissingSignature},
		"Slack, an event": {provider: &slackLike, request: signedPost(`{"type":"event_callback"}`)},
		"Meta": {
			provider: &metaLike, request: get("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock"),
			parameters: parametersOf("verify_token", "meatyhamhock"), want: textAnswer("hub.challenge", "1158201444"),
		},
		"Meta, wrong token": {
			provider: &metaLike, request: get("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=wrong"),
			parameters: parametersOf("verify_token", "meatyhamhock"), reason: HandshakeRefused,
		},
		"Meta, no token": {
			provider: &metaLike, request: get("hub.mode=subscribe&hub.challenge=1158201444"),
			parameters: parametersOf("verify_token", "meatyhamhock"), reason: HandshakeRefused,
		},
		"Meta, another mode": {
			provider: &metaLike, request: get("hub.mode=unsubscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock"),
			parameters: parametersOf("verify_token", "meatyhamhock"), reason: HandshakeRefused,
		},
		"Meta, the secret as token": {
			provider: &metaLike, request: get("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=s"), secret: "s", reason: HandshakeRefused,
		},
		"Meta, no challenge": {provider: &metaLike, request: get("hub.mode=subscribe"), reason: MissingSignature},
		"X": {
			provider: &xLike, request: get("crc_token=challenge_string"), secret: "consumer-secret",
			want: jsonAnswer("crc", `{"response_token":"sha256=S/mG8E9n5SjoGuCqHguvP8K8uuu5ogCPF0dOpIdyZlk="}`),
		},
		"Zoom": {provider: &zoomLike, request: zoomSigned, secret: "zoom-secret-token", want: jsonAnswer("url_validation",
			`{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"d9e0d764a78494688ba3f2d5c0ed4ca311394b4834d959759213424d2df961e3"}`)},
		"Zoom, wrong signature": {provider: &zoomLike, request: zoomSigned, reason: WrongSignature},
		"Zoom, no token":        {provider: &zoomLike, request: signedPost(`{"event":"endpoint.url_validation"}`), reason: MalformedHandshake},
		"Dropbox":               {provider: &dropboxLike, request: get("challenge=abc123"), want: textAnswer("challenge", "abc123")},
		"Okta": {
			provider: &oktaLike, request: get("", "x-okta-verification-challenge", "my verification challenge"),
			want: jsonAnswer("verification", `{"verification":"my verification challenge"}`),
		},
		"Twitch": {
			provider: &twitchLike, request: signedPost(`{"challenge":"pogchamp"}`, "Twitch-Eventsub-Message-Type", "webhook_callback_verification"),
			want: textAnswer("callback_verification", "pogchamp"),
		},
		"Twitch, revocation": {provider: &twitchLike, request: signedPost(`{"challenge":"x"}`, "Twitch-Eventsub-Message-Type", "revocation")},
		"Discord, events":    {provider: &discordLike, request: signedPost(`{"version":1,"type":0}`), want: emptyAnswer("event-ping", 204)},
		"Discord, interactions": {
			provider: &discordLike, request: signedPost(`{"type":1,"application_id":"1"}`), want: jsonAnswer("interaction-ping", `{"type":1}`),
		},
		"Discord, an event": {provider: &discordLike, request: signedPost(`{"version":1,"type":1}`)},
		"Discord, unsigned": {provider: &discordLike, request: post(`{"version":1,"type":0}`), reason: MissingSignature},
		"CloudEvents": {
			provider: &cloudEventsLike, request: origin("WebHook-Request-Rate", "120"), parameters: origins,
			want: emptyAnswer("abuse-protection", 200, "WebHook-Allowed-Origin", "eventemitter.example.com", "WebHook-Allowed-Rate", "120", "Allow", "POST"),
		},
		"CloudEvents, no rate": {
			provider: &cloudEventsLike, request: origin(), parameters: origins,
			want: emptyAnswer("abuse-protection", 200, "WebHook-Allowed-Origin", "eventemitter.example.com", "Allow", "POST"),
		},
		"CloudEvents, another origin": {
			provider: &cloudEventsLike, request: origin(), parameters: parametersOf("allowed_origins", "example.com"), reason: HandshakeRefused,
		},
		"CloudEvents, no origins": {provider: &cloudEventsLike, request: origin(), reason: HandshakeRefused},
		"Event Grid": {
			provider: &eventGridLike, request: post(`[{"data":{"validationCode":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}}]`, "aeg-event-type", "SubscriptionValidation"),
			want: jsonAnswer("subscription_validation", `{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}`),
		},
		"Event Grid, no code": {provider: &eventGridLike, request: post(`[]`, "aeg-event-type", "SubscriptionValidation"), reason: MalformedHandshake},
		"Graph":               {provider: &graphLike, request: graph, want: textAnswer("validationToken", "Validation: Testing client application reachability")},
		"Trello":              {provider: &trelloLike, request: head, want: emptyAnswer("head", 200)},
		"Braintree": {
			provider: &braintreeLike, request: get("bt_challenge=00112233445566778899aabbccddeeff"), secret: "public:private",
			want: textAnswer("bt_challenge", "public|f667e929d8f39ca815cf9d75a3b3f5374622e4ee"),
		},
		"Monday": {provider: &mondayLike, request: post(`{"challenge":"3eZbrw1a"}`), want: jsonAnswer("challenge", `{"challenge":"3eZbrw1a"}`)},
		"SNS":    {provider: &snsConfirm, request: signedPost(snsBody), parameters: parametersOf("topics", "arn:1"), want: confirm},
		"SNS, another topic": {
			provider: &snsConfirm, request: signedPost(snsBody), parameters: parametersOf("topics", "arn:2"), reason: HandshakeRefused,
		},
		"SNS, unsigned": {provider: &snsConfirm, request: post(snsBody), parameters: parametersOf("topics", "arn:1"), reason: MissingSignature},
	} {
		t.Run(name, c.run)
	}
}

// TestHandshakeMutations: a handshake can't be made to sign or to say anything else.
func TestHandshakeMutations(t *testing.T) {
	token := parametersOf("verify_token", "t")
	hub := func(more string) *Request { return get("hub.mode=subscribe&hub.verify_token=t&" + more) }
	okta := func(value string) *Request { return get("", "x-okta-verification-challenge", value) }
	subscribe := func(address string) handshakeCase {
		return handshakeCase{
			provider: &snsConfirm, parameters: parametersOf("topics", "arn:1"), reason: HandshakeRefused,
			request: signedPost(`{"Type":"SubscriptionConfirmation","TopicArn":"arn:1","SubscribeURL":"` + address + `"}`),
		}
	}
	asPost := get("crc_token=abc")
	asPost.Method = "POST"
	asHead := get("challenge=abc")
	asHead.Method = "HEAD"
	echo := shaking(Handshake{
		Name: "echo", Method: "GET", Unsigned: true,
		Answer: HandshakeAnswer{Status: 200, Headers: []Field{{"X-Hook-Secret", "{query:s}"}}},
	})
	cases := map[string]handshakeCase{
		"a body as token":           {provider: &xLike, request: get("crc_token=%7B%22direct_message_events%22%3A%5B%5D%7D"), reason: MalformedHandshake},
		"a list as token":           {provider: &xLike, request: get("crc_token=%5B%5D"), reason: MalformedHandshake},
		"a body behind a line":      {provider: &xLike, request: get("crc_token=abc%0A%7B%7D"), reason: MalformedHandshake},
		"a line break behind":       {provider: &xLike, request: get("crc_token=abc%0A"), reason: MalformedHandshake},
		"a token that is too long":  {provider: &xLike, request: get("crc_token=" + strings.Repeat("a", 129)), reason: MalformedHandshake},
		"two tokens":                {provider: &xLike, request: get("crc_token=abc&crc_token=%7B%7D"), reason: DuplicateHeader},
		"the name in another case":  {provider: &xLike, request: get("CRC_TOKEN=abc"), reason: MissingSignature},
		"an empty token":            {provider: &xLike, request: get("crc_token="), reason: MissingSignature},
		"a token by POST":           {provider: &xLike, request: asPost, reason: MissingSignature},
		"a challenge by HEAD":       {provider: &dropboxLike, request: asHead, reason: MissingSignature},
		"no secret":                 {provider: &xLike, request: get("crc_token=abc"), secret: " ", reason: NoUsableKey},
		"a secret without an id":    {provider: &braintreeLike, request: get("bt_challenge=00112233445566778899aabbccddeeff"), reason: NoUsableKey},
		"upper case digits":         {provider: &braintreeLike, request: get("bt_challenge=00112233445566778899AABBCCDDEEFF"), reason: MalformedHandshake},
		"two challenges":            {provider: &metaLike, parameters: token, request: hub("hub.challenge=1&hub.challenge=2"), reason: DuplicateHeader},
		"two verify tokens":         {provider: &metaLike, parameters: token, request: hub("hub.challenge=1&hub.verify_token=t"), reason: DuplicateHeader},
		"a control character":       {provider: &metaLike, parameters: token, request: hub("hub.challenge=1%00"), reason: MalformedHandshake},
		"a line break":              {provider: &metaLike, parameters: token, request: hub("hub.challenge=1%0d%0a%0d%0ahtml"), reason: MalformedHandshake},
		"no UTF-8":                  {provider: &metaLike, parameters: token, request: hub("hub.challenge=%ff"), reason: MalformedHandshake},
		"C1 control characters":     {provider: &metaLike, parameters: token, request: hub("hub.challenge=%c2%85"), reason: MalformedHandshake},
		"a long challenge":          {provider: &metaLike, parameters: token, request: hub("hub.challenge=" + strings.Repeat("1", maxEcho+1)), reason: MalformedHandshake},
		"markup stays text":         {provider: &dropboxLike, request: get("challenge=%3Cscript%3E"), want: textAnswer("challenge", "<script>")},
		"a template stays text":     {provider: &dropboxLike, request: get("challenge=%7Bkey_id%7D"), want: textAnswer("challenge", "{key_id}")},
		"JSON stays a text":         {provider: &oktaLike, request: okta(`","x":"`), want: jsonAnswer("verification", `{"verification":"\",\"x\":\""}`)},
		"markup in JSON":            {provider: &oktaLike, request: okta(`</script>`), want: jsonAnswer("verification", `{"verification":"\u003c/script\u003e"}`)},
		"two headers":               {provider: &oktaLike, request: get("", "x-okta-verification-challenge", "1", "x-okta-verification-challenge", "2"), reason: DuplicateHeader},
		"a header is injected":      {provider: &echo, request: get("s=a%0D%0ASet-Cookie:%20b"), reason: MalformedHandshake},
		"a header, line feed alone": {provider: &echo, request: get("s=a%0Ab"), reason: MalformedHandshake},
		"a header that is missing":  {provider: &echo, request: get(""), want: emptyAnswer("echo", 200)},
		"a header":                  {provider: &echo, request: get("s=a"), want: emptyAnswer("echo", 200, "X-Hook-Secret", "a")},
		"no URL":                    {provider: &snsConfirm, parameters: parametersOf("topics", "arn:1"), request: signedPost(`{"Type":"SubscriptionConfirmation","TopicArn":"arn:1"}`), reason: MalformedHandshake},
		"a long token to sign": {
			provider: &zoomLike, reason: MalformedHandshake,
			request: signedPost(`{"event":"endpoint.url_validation","payload":{"plainToken":"` + strings.Repeat("a", maxHMACInput+1) + `"}}`),
		},
	}
	const query = "?Action=ConfirmSubscription&Token=1"
	for _, address := range []string{
		"http://sns.us-west-2.amazonaws.com/" + query, "https://sns.us-west-2.amazonaws.com.example.com/" + query,
		"https://example.com/sns.us-west-2.amazonaws.com" + query, "https://user@sns.us-west-2.amazonaws.com/" + query,
		"https://sns.us-west-2.amazonaws.com:8443/" + query, "https://example.com#.sns.us-west-2.amazonaws.com/" + query,
		"https://169.254.169.254/" + query, "//sns.us-west-2.amazonaws.com/" + query, "https:sns.us-west-2.amazonaws.com" + query,
		"https://sns.us-west-2.amazonaws.com@example.com/" + query, `https://sns.us-west-2.amazonaws.com\\@example.com/` + query,
		"https://sns.us-west-2.amazonaws.com\\n.example.com/" + query, "https://sns.s3-us-west-2.amazonaws.com/" + query,
		"https://sns.us-west-2.amazonaws.com/" + query + strings.Repeat("a", maxNamedURL),
		"https://sns.us-west-2.amazonaws.com/", "https://sns.us-west-2.amazonaws.com/?", "https://sns.us-west-2.amazonaws.com" + query,
		"https://sns.us-west-2.amazonaws.com/?Action=DeleteTopic&Token=1", "https://sns.us-west-2.amazonaws.com/" + query + "&Action=DeleteTopic",
		"https://sns.us-west-2.amazonaws.com/?Action=DeleteTopic&" + query[1:], "https://sns.us-west-2.amazonaws.com/" + query + "#a",
		"https://sns.us-west-2.amazonaws.com/a" + query, "https://sns.us-west-2.amazonaws.com//" + query,
		"https://sns.us-west-2.amazonaws.com/.." + query, "https://sns.us-west-2.amazonaws.com/%2e" + query,
	} {
		cases["confirm "+address[:min(len(address), 90)]] = subscribe(address)
	}
	for name, c := range cases {
		t.Run(name, c.run)
	}
}

// TestHandshakeKeys: answers are signed with the newest secret.
func TestHandshakeKeys(t *testing.T) {
	v := compiledProvider(t, braintreeLike)
	got, err := v.Handshake(get("bt_challenge=00112233445566778899aabbccddeeff"), keysOf("new:a", "old:b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := sha1.Sum([]byte("a"))
	mac := hmac.New(sha1.New, key[:])
	_, _ = mac.Write([]byte("00112233445566778899aabbccddeeff"))
	if want := "new|" + hexOf(mac.Sum(nil)); string(got.Body) != want {
		t.Errorf("%s, want %s", got.Body, want)
	}
}

func TestHandshakeErrors(t *testing.T) {
	base := func() Handshake {
		return Handshake{Name: "n", Method: "GET", Unsigned: true, Match: []Condition{queryIs("x")}, Answer: answerText("{query:x}")}
	}
	crc := func(guard ...Condition) func(*Handshake) {
		return func(h *Handshake) { h.Guard, h.Answer = guard, answerJSON("t", "{query:x|hmac_hex}") }
	}
	at := Location{Query: "x"}
	for name, test := range map[string]struct {
		change func(*Handshake)
		want   string
	}{
		"no name":                {func(h *Handshake) { h.Name = "" }, "name is missing"},
		"another method":         {func(h *Handshake) { h.Method = "PUT" }, "GET, HEAD, POST or OPTIONS"},
		"a GET that delivers":    {func(h *Handshake) { h.Match = nil }, "every event would be taken"},
		"a kind":                 {func(h *Handshake) { h.Kind = "Ping" }, "must be Challenge or Probe"},
		"a probe by POST":        {func(h *Handshake) { *h = probe("POST"); h.Match = []Condition{queryIs("x")} }, "a probe is a GET or a HEAD"},
		"a probe by OPTIONS":     {func(h *Handshake) { *h = probe("OPTIONS") }, "a probe is a GET or a HEAD"},
		"a signed probe":         {func(h *Handshake) { *h = probe("GET"); h.Unsigned = false }, "a request that has a signature is no probe"},
		"a probe that echoes":    {func(h *Handshake) { h.Kind = Probe }, "must be without variables"},
		"a probe with a guard":   {func(h *Handshake) { *h = probe("GET"); h.Guard = []Condition{queryIs("x")} }, "answered to everybody"},
		"every POST":             {func(h *Handshake) { h.Method, h.Match = "POST", nil }, "every event would be taken"},
		"a failure":              {func(h *Handshake) { h.Answer.Status = 404 }, "from 200 to 299"},
		"body and JSON":          {func(h *Handshake) { h.Answer.JSON = []Field{{"a", "b"}} }, "at most one of body and json"},
		"204 with a body":        {func(h *Handshake) { h.Answer.Status = 204 }, "has no body"},
		"HEAD with a body":       {func(h *Handshake) { h.Method = "HEAD" }, "has no body"},
		"HTML":                   {func(h *Handshake) { h.Answer.ContentType = "text/html" }, "must be text/plain or application/json"},
		"SVG":                    {func(h *Handshake) { h.Answer.ContentType = "image/svg+xml" }, "must be text/plain or application/json"},
		"no type":                {func(h *Handshake) { h.Answer.ContentType = "text" }, "must be text/plain or application/json"},
		"two lines of a type":    {func(h *Handshake) { h.Answer.ContentType = "text/plain\r\nX: y" }, "must be text/plain or application/json"},
		"JSON by hand":           {func(h *Handshake) { h.Answer.ContentType, h.Answer.Body = "application/json", `{{"a":"{query:x}"}}` }, "would not be quoted"},
		"JSON that isn't":        {func(h *Handshake) { h.Answer = answerJSON("a", "b"); h.Answer.ContentType = "text/plain" }, "made by json"},
		"a member twice":         {func(h *Handshake) { h.Answer = answerJSON("a", "b", "a", "c") }, "occurs twice"},
		"a member without name":  {func(h *Handshake) { h.Answer = answerJSON("", "b") }, "name is missing"},
		"a cookie":               {func(h *Handshake) { h.Answer.Headers = []Field{{"set-cookie", "a=b"}} }, "can't be set"},
		"a length":               {func(h *Handshake) { h.Answer.Headers = []Field{{"Content-Length", "0"}} }, "can't be set"},
		"no header":              {func(h *Handshake) { h.Answer.Headers = []Field{{"a b", "c"}} }, "can't be the name of a header"},
		"two lines":              {func(h *Handshake) { h.Answer.Headers = []Field{{"A", "b\r\nC: d"}} }, "control characters"},
		"unknown variable":       {func(h *Handshake) { h.Answer.Body = "{body}" }, "not a variable here"},
		"the secret":             {func(h *Handshake) { h.Answer.Body = "{secret}" }, "not a variable here"},
		"many":                   {func(h *Handshake) { h.Answer.Body = "{json:/*/a}" }, "identity only"},
		"many, decoded":          {func(h *Handshake) { h.Answer.Body = "{query:x|json:/*/a}" }, "identity only"},
		"a claim":                {func(h *Handshake) { h.Match = []Condition{{Location: Location{Claim: "/a"}}} }, "no claims here"},
		"a secret parameter":     {func(h *Handshake) { h.Answer.Body = "{param:token}" }, "must not be answered"},
		"an unknown parameter":   {func(h *Handshake) { h.Answer.Body = "{param:other}" }, "not a parameter"},
		"an oracle":              {crc(), "anybody can have query parameter x signed"},
		"an oracle, there":       {crc(Condition{Location: at}), "anybody can have"},
		"an oracle, other place": {crc(Condition{Location: Location{Query: "y"}, Pattern: "a"}), "anybody can have"},
		"an oracle, any text":    {crc(Condition{Location: at, Pattern: ".*"}), "anybody can have"},
		"an oracle, JSON":        {crc(Condition{Location: at, Pattern: `[^<>]{1,64}`}), "anybody can have"},
		"an oracle, decoded": {func(h *Handshake) {
			crc(Condition{Location: at, Pattern: "[A-Za-z0-9]+"})(h)
			h.Answer.JSON[0].Value = "{query:x|base64|hmac_hex}"
		}, "anybody can have"},
		"two HMACs":           {func(h *Handshake) { h.Answer.Body = "{query:x|hmac_hex|hmac_hex}" }, "not a step"},
		"an id without ids":   {func(h *Handshake) { h.Answer.Body = "{key_id}" }, "keyID or pairs"},
		"an unsigned confirm": {func(h *Handshake) { h.Confirm = &Confirmation{From: at, HostPattern: "a", PathPattern: "/"} }, "needs a signed handshake"},
		"confirm anywhere": {func(h *Handshake) {
			h.Unsigned, h.Confirm = false, &Confirmation{From: at, HostPattern: ".*", PathPattern: "/"}
		}, "any host matches"},
		"confirm no path": {func(h *Handshake) {
			h.Unsigned, h.Confirm = false, &Confirmation{From: at, HostPattern: "a"}
		}, "confirm.pathPattern: is missing"},
		"confirm any path": {func(h *Handshake) {
			h.Unsigned, h.Confirm = false, &Confirmation{From: at, HostPattern: "a", PathPattern: "/.*"}
		}, "any path matches"},
		"confirm any query": {func(h *Handshake) {
			h.Unsigned, h.Confirm = false, &Confirmation{From: at, HostPattern: "a", PathPattern: "/", QueryPattern: ".*"}
		}, "any query matches"},
	} {
		t.Run(name, func(t *testing.T) {
			h := base()
			test.change(&h)
			p := shaking(h)
			p.Schemes = slices.Clone(p.Schemes)
			p.Schemes[0].Methods = []string{"POST", "GET"}
			p.Parameters = []Parameter{{Name: "token", Sensitive: true}}
			if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "handshakes[0]") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	if _, err := Compile(shaking(base(), base())); err == nil || !strings.Contains(err.Error(), "name of another handshake") {
		t.Errorf("two of a name: %v", err)
	}
	if _, err := Compile(shaking(make([]Handshake, 9)...)); err == nil || !strings.Contains(err.Error(), "at most 8") {
		t.Errorf("nine: %v", err)
	}
	h := base()
	crc(Condition{Location: at, Pattern: "[a-z]{8}"})(&h)
	p := tokenLike
	p.Handshakes = []Handshake{h}
	if _, err := Compile(p); err == nil || !strings.Contains(err.Error(), "needs a scheme with an HMAC") {
		t.Errorf("an HMAC without a key: %v", err)
	}
}

// probe is a request that only asks whether the URL exists.
func probe(method string) Handshake {
	return Handshake{Name: "probe", Kind: Probe, Method: method, Unsigned: true, Answer: HandshakeAnswer{Status: 200}}
}

// TestProbes: what has a signature is an event, or nothing, but no probe.
func TestProbes(t *testing.T) {
	p := shaking(probe("GET"), Handshake{Name: "some", Kind: Probe, Method: "HEAD", Unsigned: true, Match: []Condition{queryIs("x")}, Answer: HandshakeAnswer{Status: 204}})
	p.Schemes = append(slices.Clone(p.Schemes), Scheme{
		Name: "token", Methods: []string{"GET"}, Algorithm: Token, Signature: Signature{From: []Location{{Query: "token"}}, Encoding: Text},
	})
	v := compiledProvider(t, p)
	for name, test := range map[string]struct {
		request *Request
		want    string
	}{
		"GET":                                 {&Request{Method: "GET", RawQuery: "y=1"}, "probe"},
		"HEAD":                                {&Request{Method: "HEAD", RawQuery: "x=1"}, "some"},
		"another HEAD":                        {&Request{Method: "HEAD"}, ""},
		"POST":                                {&Request{Method: "POST"}, ""},
		"a signature":                         {&Request{Method: "GET", RawQuery: "token=1"}, ""},
		"one of a scheme for other methods":   {&Request{Method: "GET", Header: http.Header{"X-Hub-Signature-256": {"sha256=00"}}}, ""},
		"one that is malformed":               {&Request{Method: "GET", Header: http.Header{"X-Hub-Signature-256": {"x"}}}, ""},
		"two of them":                         {&Request{Method: "GET", Header: http.Header{"X-Hub-Signature-256": {"x", "y"}}}, ""},
		"an empty one":                        {&Request{Method: "GET", Header: http.Header{"X-Hub-Signature-256": {""}}}, "probe"},
		"a signature of a HEAD that is asked": {&Request{Method: "HEAD", RawQuery: "x=1&token=1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.request.Header == nil {
				test.request.Header = http.Header{}
			}
			answer, err := v.Handshake(test.request, keysOf(testSecret), nil)
			if err != nil || (answer == nil) != (test.want == "") || answer != nil && (answer.Handshake != test.want || len(answer.Body) > 0) {
				t.Errorf("%+v, %v, want %q", answer, err, test.want)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	for want, p := range map[string]Provider{"POST": githubLike, "GET POST": metaLike, "HEAD POST": trelloLike, "OPTIONS POST": cloudEventsLike} {
		if got := strings.Join(compiledProvider(t, p).Methods(), " "); got != want {
			t.Errorf("%s has the methods %s, want %s", p.Name, got, want)
		}
	}
}

// TestRejectionsOfHandshakesTellNothing: what is said of a handshake comes from
// the provider's data.
func TestRejectionsOfHandshakesTellNothing(t *testing.T) {
	m := keysOf(testSecret)
	m.Parameters = parametersOf("verify_token", "the token")
	for _, r := range []*Request{
		get("hub.challenge=needle&hub.mode=needle&hub.verify_token=needle"),
		get("hub.challenge=needle&hub.mode=subscribe&hub.verify_token=needle"),
		get("hub.challenge=needle%00&hub.mode=subscribe&hub.verify_token=the+token"),
	} {
		_, err := compiledProvider(t, metaLike).Handshake(r, m, nil)
		if rejection := rejectionOf(t, err); strings.Contains(rejection.Detail, "needle") || strings.Contains(rejection.Detail, "the token") {
			t.Errorf("it says %q", rejection.Detail)
		}
	}
}
