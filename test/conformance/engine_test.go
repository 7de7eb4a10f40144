package conformance

import (
	"io/fs"
	"maps"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/config/providers"
	"sallyport.dev/sallyport/controllers/compile"
	"sallyport.dev/sallyport/receiver/verify"
)

// tally counts what was compared for a provider.
type tally struct{ agreed, disagreed, handshakes, without int }

// TestEngine gives each vector to the verifier of its preset.
func TestEngine(t *testing.T) {
	senders := loadSenders(t)
	tallies := map[string]*tally{}
	for _, v := range loadVectors(t) {
		count := tallies[v.Provider]
		if count == nil {
			count = &tally{}
			tallies[v.Provider] = count
		}
		sender := senders[v.presetName(senders)]
		switch {
		case v.Kind != "delivery":
			count.handshakes++
		case sender == nil:
			count.without++
		case t.Run(v.ID, func(t *testing.T) { compareVector(t, &sender.Provider, &v) }):
			count.agreed++
		default:
			count.disagreed++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tallies)) {
		count := tallies[name]
		t.Logf("%-20s %3d as stated, %d otherwise, %d handshakes, %d without a preset",
			name, count.agreed, count.disagreed, count.handshakes, count.without)
	}
}

// compareVector verifies a vector, and checks that the scheme that is meant
// judged it.
func compareVector(t *testing.T, provider *verify.Provider, v *vector) {
	t.Helper()
	verifier, err := verify.Compile(*provider)
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := verifier.Verify(v.request(t), &verify.Material{Secrets: v.keys()}, v.now())
	switch accepted := err == nil; {
	case accepted != v.Valid:
		t.Errorf("accepted: %v (%v), stated: %v; %s", accepted, err, v.Valid, v.Note)
	case accepted && hasScheme(provider, v.Variant) && verdict.Scheme != v.Variant:
		t.Errorf("the scheme %q judged, not %q", verdict.Scheme, v.Variant)
	}
}

// senders are the built-in providers by name, compiled.
type senders map[string]*compile.Sender

func loadSenders(t *testing.T) senders {
	t.Helper()
	names, err := fs.Glob(providers.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := senders{}
	for _, name := range names {
		text, err := fs.ReadFile(providers.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		var object v1alpha1.WebhookProvider
		if err := yaml.UnmarshalStrict(text, &object); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sender := compile.Provider(&object)
		if sender.Problem != "" {
			t.Fatalf("%s: %s", name, sender.Problem)
		}
		all[object.Name] = sender
	}
	return all
}

// presetName is the preset that a vector is for: the provider's own, if it has
// the variant as a scheme, else the one that is called <provider>-<variant>.
func (v *vector) presetName(all senders) string {
	own := all[v.Provider]
	if v.Variant == "" || v.Variant == "default" || own != nil && hasScheme(&own.Provider, v.Variant) {
		return v.Provider
	}
	return v.Provider + "-" + v.Variant
}

func hasScheme(provider *verify.Provider, name string) bool {
	return slices.ContainsFunc(provider.Schemes, func(s verify.Scheme) bool { return s.Name == name })
}
