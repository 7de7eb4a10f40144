package conformance

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/verify"
)

// outcome is what must come of a mutant.
type outcome int

const (
	// refused: it is not authentic, which is the sender's fault.
	refused outcome = iota
	// authentic: what was changed is not signed. An event is accepted, unless its
	// id was what the change spoiled.
	authentic
	// same: it says the same in other words, and is accepted.
	same
	// noEvent: whatever is answered, no event came of it.
	noEvent
	// unavailable: what it needs can't be had now, and it is to come again.
	unavailable
)

// mutant is a specimen with one change.
type mutant struct {
	name string
	wire wire
	want outcome
	// stranger: the endpoint has another secret.
	stranger bool
	// later is when it comes, after the specimen.
	later time.Duration
}

// TestMutations changes the first genuine example of each preset in one way
// after the other, and sends it over a connection to a receiver. What is not
// authentic is answered 4xx, and leaves no trace: the genuine event is accepted
// afterwards, and a duplicate after that.
func TestMutations(t *testing.T) {
	all := loadSenders(t)
	specimens := loadSpecimens(t, all)
	g := newGround(t, all, specimens)
	for i := range specimens {
		s := &specimens[i]
		t.Run(s.preset, func(t *testing.T) { g.tryAll(t, s) })
	}
}

// tryAll sends the mutants of s, and logs how each was answered.
func (g *ground) tryAll(t *testing.T, s *specimen) {
	mutants := s.mutants(t)
	slices.SortStableFunc(mutants, func(a, b mutant) int { return order(a.want) - order(b.want) })
	row, sent := map[int][]string{}, false
	for _, m := range mutants {
		if order(m.want) > 0 && !sent {
			g.accept(t, s)
			sent = true
		}
		status := g.try(t, s, m)
		row[status] = append(row[status], m.name)
	}
	if !sent {
		g.accept(t, s)
	}
	for _, status := range slices.Sorted(maps.Keys(row)) {
		t.Logf("%-20s %d  %s", s.preset, status, strings.Join(row[status], ", "))
	}
}

// order puts what must leave no trace before the genuine event.
func order(want outcome) int {
	if want == authentic || want == same {
		return 1
	}
	return 0
}

// accept sends the genuine event twice.
func (g *ground) accept(t *testing.T, s *specimen) {
	t.Helper()
	for _, want := range []audit.Status{audit.Accepted, audit.Duplicate} {
		if status, record := g.send(t, s, mutant{wire: s.wire}); status/100 != 2 || record.Status != want {
			t.Errorf("the genuine event was answered %d (%s: %s), want %s", status, record.Status, record.ErrorMessage, want)
		}
	}
}

// try sends a mutant and returns the status that is answered.
func (g *ground) try(t *testing.T, s *specimen, m mutant) int {
	t.Helper()
	status, record := g.send(t, s, m)
	event := record.Status == audit.Accepted || record.Status == audit.Duplicate
	success, fault := status/100 == 2, status/100 == 4
	var good bool
	switch m.want {
	case refused:
		good = fault && !event && !record.SignatureVerified
	case authentic:
		good = record.SignatureVerified && (success && event || fault && !event)
	case same:
		good = record.SignatureVerified && success && event
	case noEvent:
		good = !event && (success || fault)
	case unavailable:
		good = !event && status == http.StatusServiceUnavailable
	}
	if !good {
		t.Errorf("%s: answered %d (%s: %s), want it %s", m.name, status, record.Status, record.ErrorMessage,
			[...]string{"refused", "taken for authentic", "accepted", "to be no event", "to be sent again"}[m.want])
	}
	return status
}

// changed changes one character, and stays among letters and digits.
func changed(text string, i int) string {
	with := byte('A')
	switch c := text[i]; {
	case c >= '0' && c <= '8':
		with = c + 1
	case c == 'A' || c == 'a':
		with = c + 1
	case c == '9' || c > 'a' && c <= 'f':
		with = '0'
	}
	return text[:i] + string(with) + text[i+1:]
}

// mutants are all changes of s.
func (s *specimen) mutants(t *testing.T) []mutant {
	t.Helper()
	return slices.Concat(
		s.bodyMutants(), s.characterMutants(t), s.placeMutants(), s.companyMutants(), s.itemMutants(),
		s.timestampMutants(), s.signedMutants(), s.requestMutants(),
	)
}

// spots are where something is changed: at the start, halfway, at the end.
var spots = [...]string{"first", "middle", "last"}

// bodyMutants change the body, whatever of it is signed.
func (s *specimen) bodyMutants() []mutant {
	body := s.wire.body
	var mutants []mutant
	add := func(name string, body []byte) {
		w := s.wire
		w.body = body
		want := refused
		if s.signed(w) == s.signed(s.wire) {
			want = authentic
		}
		mutants = append(mutants, mutant{name: name, wire: w, want: want})
	}
	add("body longer", append(slices.Clone(body), ' '))
	if len(body) == 0 {
		return mutants
	}
	add("body shorter", body[:len(body)-1])
	add("no body", nil)
	for i, name := range spots {
		flipped := slices.Clone(body)
		flipped[i*(len(body)-1)/2] ^= 1
		add("body bit "+name, flipped)
	}
	return mutants
}

// at is the first place that holds a signature of s, and what is there.
func (s *specimen) at() (verify.Location, string) {
	for _, at := range s.scheme.Signature.From {
		if value := s.wire.get(at); value != "" {
			return at, value
		}
	}
	return verify.Location{}, ""
}

// item is how the grammar of several signatures writes one: what stands before
// it, what stands between two, and one that means nothing.
func (s *specimen) item() (head, separator, garbage string) {
	g := s.scheme.Signature
	switch {
	case g.List != nil:
		return g.List.Prefix, g.List.Separator, "~garbage~"
	case g.KeyValue != nil:
		return g.KeyValue.SignatureKey + g.KeyValue.Equals, g.KeyValue.Separator, "garbage" + g.KeyValue.Equals + "1"
	case g.Pairs != nil:
		id, _, _ := strings.Cut(s.example.Secret, ":")
		return id + g.Pairs.Equals, g.Pairs.Separator, "garbage" + g.Pairs.Equals + "~"
	case s.scheme.Algorithm == verify.Basic:
		return "Basic ", "", ""
	}
	return g.Prefix, "", ""
}

// span is where in a value the signature itself stands.
func (s *specimen) span(value string) (from, to int) {
	head, separator, _ := s.item()
	if from = strings.Index(value, head); from < 0 {
		return 0, len(value) // the prefix is optional
	}
	from += len(head)
	if end := strings.Index(value[from:], separator); separator != "" && end >= 0 {
		return from, from + end
	}
	return from, len(value)
}

// wrong is a value like the specimen's, with another signature.
func (s *specimen) wrong(value string) string {
	from, _ := s.span(value)
	return changed(value, from)
}

// characterMutants change one character of the signature.
func (s *specimen) characterMutants(t *testing.T) []mutant {
	t.Helper()
	at, value := s.at()
	from, to := s.span(value)
	last := from + len(strings.TrimRight(value[from:to], "=")) - 1
	if last <= from {
		t.Fatalf("%s: there is no signature to change", s.preset)
	}
	var mutants []mutant
	for i, name := range spots {
		mutants = append(mutants, mutant{name: "signature " + name, wire: s.wire.with(at, changed(value, from+i*(last-from)/2))})
	}
	if upper := value[:from] + strings.ToUpper(value[from:to]) + value[to:]; s.scheme.Signature.Encoding == verify.Hex && upper != value {
		mutants = append(mutants, mutant{name: "hex in capitals", wire: s.wire.with(at, upper), want: same})
	}
	return mutants
}

// several reports whether a value may hold more than one signature.
func (s *specimen) several() bool {
	g := s.scheme.Signature
	return g.List != nil || g.KeyValue != nil || g.Pairs != nil
}

// placeMutants spoil the place of the signature.
func (s *specimen) placeMutants() []mutant {
	at, value := s.at()
	mutants := []mutant{
		{name: "no signature", wire: s.wire.without(at)},
		{name: "empty signature", wire: s.wire.with(at, "")},
		{name: "oversized signature", wire: s.wire.with(at, value+strings.Repeat("a", 8<<10))},
		{name: "trailing space", wire: s.wire.with(at, value+" ")},
	}
	if at.Header != "" {
		mutants[len(mutants)-1].want = same // it is not part of the value, RFC 9110 §5.5
	}
	if !s.several() {
		mutants = append(mutants, mutant{name: "comma list", wire: s.wire.with(at, value+", "+value)})
	}
	if at.JSON == "" {
		twice := mutant{name: "signature twice", wire: s.wire.and(at, value)}
		if s.scheme.Signature.Repeated {
			twice.want = same
		}
		mutants = append(mutants, twice)
	}
	return mutants
}

// companyMutants put other signatures beside the right one, in another place or
// another header line, where the scheme has room for them.
func (s *specimen) companyMutants() (mutants []mutant) {
	at, value := s.at()
	for _, other := range s.scheme.Signature.From {
		if s.wire.get(other) == "" {
			mutants = append(mutants,
				mutant{name: "wrong in another place", wire: s.wire.and(other, s.wrong(value)), want: same},
				mutant{name: "garbage in another place", wire: s.wire.and(other, s.garbage()), want: same},
				mutant{name: "only wrong in another place", wire: s.wire.without(at).and(other, s.wrong(value))})
			break
		}
	}
	if s.scheme.Signature.Repeated {
		mutants = append(mutants,
			mutant{name: "wrong in another line", wire: s.wire.and(at, s.wrong(value)), want: same},
			mutant{name: "all lines wrong", wire: s.wire.with(at, s.wrong(value)).and(at, s.wrong(value))})
	}
	return mutants
}

// garbage is written like a signature up to what must be encoded.
func (s *specimen) garbage() string { return s.scheme.Signature.Prefix + "~garbage~" }

// itemMutants put other signatures beside the right one in one value, where the
// grammar has room for them.
func (s *specimen) itemMutants() (mutants []mutant) {
	if !s.several() {
		return nil
	}
	at, value := s.at()
	head, separator, garbage := s.item()
	from, to := s.span(value)
	item, wrong := value[from-len(head):to], head+changed(value[from:to], 0)
	for _, beside := range []string{wrong, garbage, item} {
		mutants = append(mutants,
			mutant{name: "before " + kindOf(beside, wrong, garbage), wire: s.wire.with(at, beside+separator+value), want: same},
			mutant{name: "behind " + kindOf(beside, wrong, garbage), wire: s.wire.with(at, value+separator+beside), want: same})
	}
	return append(mutants,
		mutant{name: "only wrong", wire: s.wire.with(at, strings.ReplaceAll(value, item, wrong))},
		mutant{name: "too many", wire: s.wire.with(at, value+strings.Repeat(separator+wrong, 16))})
}

func kindOf(beside, wrong, garbage string) string {
	switch beside {
	case wrong:
		return "wrong"
	case garbage:
		return "garbage"
	}
	return "itself"
}

// timestampMutants change the time that is signed, and the time it is.
func (s *specimen) timestampMutants() (mutants []mutant) {
	if token := s.scheme.JWT; token != nil && token.MaxAgeSeconds > 0 {
		mutants = append(mutants, mutant{name: "too late", wire: s.wire, later: time.Duration(2*token.MaxAgeSeconds+1) * time.Second})
	}
	stamp := s.scheme.Timestamp
	if stamp == nil {
		return mutants
	}
	if stamp.ToleranceSeconds > 0 {
		beyond := time.Duration(2*stamp.ToleranceSeconds+1) * time.Second
		mutants = append(mutants, mutant{name: "too late", wire: s.wire, later: beyond}, mutant{name: "too early", wire: s.wire, later: -beyond})
	}
	if stamp.From == nil {
		return append(mutants, s.timeItemMutants()...)
	}
	value := s.wire.get(*stamp.From)
	mutants = append(mutants,
		mutant{name: "another timestamp", wire: s.wire.with(*stamp.From, changed(value, strings.LastIndexAny(value, "0123456789")))},
		mutant{name: "no timestamp", wire: s.wire.without(*stamp.From)})
	if stamp.From.Header != "" {
		mutants = append(mutants, mutant{name: "two timestamps", wire: s.wire.and(*stamp.From, value)})
	}
	return mutants
}

// timeItemMutants are for a timestamp that is an item of the signature.
func (s *specimen) timeItemMutants() []mutant {
	at, value := s.at()
	kv := s.scheme.Signature.KeyValue
	name := kv.TimestampKey + kv.Equals
	from := strings.Index(value, name)
	stamp, _, _ := strings.Cut(value[from:], kv.Separator)
	another := changed(stamp, len(stamp)-1)
	return []mutant{
		{name: "another timestamp", wire: s.wire.with(at, strings.Replace(value, stamp, another, 1))},
		{name: "no timestamp", wire: s.wire.with(at, strings.Replace(value, name, "x"+name, 1))},
		{name: "two timestamps", wire: s.wire.with(at, value+kv.Separator+stamp)},
		{name: "another timestamp before", wire: s.wire.with(at, another+kv.Separator+value)},
		{name: "an item that is none", wire: s.wire.with(at, value+kv.Separator+"garbage")},
	}
}

// signedMutants change each place that the scheme reads beside the signature and
// the timestamp.
func (s *specimen) signedMutants() (mutants []mutant) {
	places := s.places()
	for _, variable := range variables.FindAllStringSubmatch(s.scheme.Content, -1) {
		places = append(places, placesOf(variable[1], variable[2])...)
	}
	for _, at := range places {
		value := s.wire.get(at)
		if value == "" || at == s.certificate() || at == s.timestampPlace() {
			continue
		}
		name := at.Header + at.Form + at.JSON
		mutants = append(mutants, mutant{name: "another " + name, wire: s.wire.with(at, changed(value, len(value)-1))})
		if at.Header != "" {
			mutants = append(mutants,
				mutant{name: "no " + name, wire: s.wire.without(at)},
				mutant{name: "two " + name, wire: s.wire.and(at, value)})
		}
	}
	return append(mutants, s.certificateMutants()...)
}

// placesOf are the places that a variable reads, without the body as a whole.
func placesOf(name, argument string) (places []verify.Location) {
	switch name {
	case "header":
		return []verify.Location{{Header: argument}}
	case "form":
		return []verify.Location{{Form: argument}}
	case "json":
		return []verify.Location{{JSON: argument}}
	case "members":
		for member := range strings.SplitSeq(argument, ",") {
			places = append(places, verify.Location{JSON: "/" + member})
		}
	}
	return places
}

func (s *specimen) timestampPlace() verify.Location {
	if s.scheme.Timestamp == nil || s.scheme.Timestamp.From == nil {
		return verify.Location{}
	}
	return *s.scheme.Timestamp.From
}

// certificateMutants name other certificates.
func (s *specimen) certificateMutants() (mutants []mutant) {
	at := s.certificate()
	given := s.wire.get(at)
	if given == "" {
		return nil
	}
	host := strings.Split(given, "/")[2]
	for _, other := range [][2]string{
		{"no certificate", ""},
		{"certificate elsewhere", strings.Replace(given, host, "evil.example.com", 1)},
		{"certificate of a longer host", strings.Replace(given, host, host+".example.com", 1)},
		{"certificate with a user", strings.Replace(given, host, host+"@evil.example.com", 1)},
		{"certificate at another port", strings.Replace(given, host, host+":8443", 1)},
		{"certificate without TLS", strings.Replace(given, "https:", "http:", 1)},
		{"certificate at another path", strings.Replace(given, host, host+"/a", 1)},
		{"certificate at a path with dots", strings.Replace(given, host, host+"/a/%2e%2e", 1)},
		{"certificate with a query", given + "?a=b"},
	} {
		mutants = append(mutants, mutant{name: other[0], wire: s.wire.with(at, other[1])})
	}
	digit := strings.LastIndexAny(given, "0123456789")
	other := given[:digit] + string('0'+(given[digit]-'0'+1)%10) + given[digit+1:]
	return append(mutants, mutant{name: "certificate that is not there", wire: s.wire.with(at, other), want: unavailable})
}

// requestMutants change the request as such.
func (s *specimen) requestMutants() []mutant {
	lower, upper, get, put, query := s.wire, s.wire, s.wire, s.wire, s.wire
	lower.header, upper.header = slices.Clone(lower.header), slices.Clone(upper.header)
	for i, header := range s.wire.header {
		lower.header[i].name, upper.header[i].name = strings.ToLower(header.name), strings.ToUpper(header.name)
	}
	get.method, put.method = otherThan(s.wire.method, http.MethodGet), otherThan(s.wire.method, http.MethodPut)
	query.query += "&mutant=1"
	text := s.wire.with(verify.Location{Header: "Content-Type"}, "text/plain")
	return []mutant{
		{name: "headers in lower case", wire: lower, want: same},
		{name: "headers in capitals", wire: upper, want: same},
		{name: get.method, wire: get, want: s.by(get.method, noEvent)},
		{name: put.method, wire: put, want: s.by(put.method, refused)},
		{name: "another query", wire: query, want: unless(s.signsURL())},
		{name: "another media type", wire: text, want: s.ofType(text)},
		{name: "another key", wire: s.wire, want: s.foreign(), stranger: true},
	}
}

// otherThan is a method, or POST if it is the one given.
func otherThan(given, method string) string {
	if given == method {
		return http.MethodPost
	}
	return method
}

// by is the outcome of another method: a delivery of the scheme that doesn't sign the
// method is the same, and one by a method that the scheme doesn't have is otherwise.
func (s *specimen) by(method string, otherwise outcome) outcome {
	methods := s.scheme.Methods
	if len(methods) == 0 {
		methods = []string{http.MethodPost}
	}
	if !slices.Contains(methods, method) {
		return otherwise
	}
	return unless(strings.Contains(s.scheme.Content, "{method}"))
}

// ofType is the outcome of another media type. Where nothing that is signed depends on
// it, the body may still have to be a form.
func (s *specimen) ofType(text wire) outcome {
	if s.readsForm() || s.signed(text) != s.signed(s.wire) {
		return refused
	}
	if s.scheme.BodyFormat == verify.FormBody {
		return authentic
	}
	return same
}

// foreign is the outcome at an endpoint with another secret. What is signed by a
// certificate is authentic there, too, and not allowed.
func (s *specimen) foreign() outcome {
	if (s.certificate() != verify.Location{}) {
		return noEvent
	}
	return refused
}

// unless is the outcome of a change that only counts if the scheme looks at it.
func unless(counts bool) outcome {
	if counts {
		return refused
	}
	return same
}

// readsForm reports whether the scheme needs the body to be a form.
func (s *specimen) readsForm() bool {
	at, _ := s.at()
	return s.scheme.MediaType != "" || strings.Contains(s.scheme.Content, "{form") || at.Form != ""
}
