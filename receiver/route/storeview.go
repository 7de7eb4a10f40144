package route

import (
	"fmt"
	"strings"
	"time"
)

// AnnotationStore of a receiver's Lease object says how the receiver finds the store, as
// StoreView.String writes it.
const AnnotationStore = "hooks.sallyport.dev/store"

// StoreState is whether a receiver can store events.
type StoreState string

// The states.
const (
	StoreUp   StoreState = "Up"   // it can
	StoreAway StoreState = "Away" // Redis does not answer, or takes no writes
	StoreFull StoreState = "Full" // Redis has reached its maxmemory
)

// StoreView is how a receiver finds the store. The zero view says nothing.
type StoreView struct {
	State StoreState
	// Since is when the receiver found it so for the first time.
	Since time.Time
}

// Fails reports whether senders get 503.
func (v StoreView) Fails() bool { return v.State == StoreAway || v.State == StoreFull }

const storeViewSince = " since "

// String writes a view for people and for ParseStoreView: "Away since 2026-11-29T22:41:10Z".
func (v StoreView) String() string {
	return string(v.State) + storeViewSince + v.Since.UTC().Format(time.RFC3339)
}

// ParseStoreView reads what String wrote.
func ParseStoreView(text string) (StoreView, error) {
	state, at, _ := strings.Cut(text, storeViewSince)
	since, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return StoreView{}, fmt.Errorf("the annotation %s: %w", AnnotationStore, err)
	}
	return StoreView{State: StoreState(state), Since: since}, nil
}
