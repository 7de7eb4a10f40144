package route

import (
	"testing"
	"time"
)

func TestStoreView(t *testing.T) {
	since := time.Date(2026, 11, 29, 22, 41, 10, 999, time.FixedZone("", 3600))
	for state, fails := range map[StoreState]bool{StoreUp: false, StoreAway: true, StoreFull: true, "Unheard-of": false} {
		v := StoreView{State: state, Since: since}
		if text := v.String(); text != string(state)+" since 2026-11-29T21:41:10Z" {
			t.Errorf("the view is written as %q", text)
		}
		got, err := ParseStoreView(v.String())
		if err != nil || got.State != state || !got.Since.Equal(since.Truncate(time.Second)) || got.Fails() != fails {
			t.Errorf("%s comes back as %+v, %v", v, got, err)
		}
	}
	for _, text := range []string{"", "Away", "Away since", "Away since yesterday"} {
		if got, err := ParseStoreView(text); err == nil || got.Fails() {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
