package route

import (
	"encoding/json"
	"fmt"
	"time"
)

// AnnotationKeyUse of a receiver's Lease object says which keys the receiver has seen in
// use, as EncodeKeyUse writes it. It is set while endpoints change their secrets.
const AnnotationKeyUse = "hooks.sallyport.dev/key-use"

// maxKeyUse bounds the endpoints in the annotation, and with it its size.
const maxKeyUse = 500

// KeyUse says which secrets of an endpoint a receiver has seen in use since the
// secret was changed. Times are to the second; zero: not seen.
type KeyUse struct {
	// PreviousEnds is the NotAfter of the first of the route's keys that ends, in seconds
	// since 1970. It is different for each rotation.
	PreviousEnds int64 `json:"previousEnds"`
	// CurrentFirst is when the newest key was first used.
	CurrentFirst int64 `json:"currentFirst,omitempty"`
	// PreviousLast is when a key that ends was last used, to the minute.
	PreviousLast int64 `json:"previousLast,omitempty"`
}

// EncodeKeyUse writes what a receiver has seen, by "namespace/name" of the endpoint. It
// leaves some out if there are more than 500, to bound the size of the Lease object.
func EncodeKeyUse(use map[string]KeyUse) (string, error) {
	if len(use) > maxKeyUse {
		bounded := make(map[string]KeyUse, maxKeyUse)
		for name, seen := range use {
			if len(bounded) == maxKeyUse {
				break
			}
			bounded[name] = seen
		}
		use = bounded
	}
	text, err := json.Marshal(use)
	return string(text), err
}

// DecodeKeyUse reads what EncodeKeyUse wrote; an empty text is no use at all.
func DecodeKeyUse(text string) (map[string]KeyUse, error) {
	if text == "" {
		return nil, nil
	}
	var use map[string]KeyUse
	if err := json.Unmarshal([]byte(text), &use); err != nil {
		return nil, fmt.Errorf("the annotation %s: %w", AnnotationKeyUse, err)
	}
	return use, nil
}

// Seen returns a time of a KeyUse; zero if there is none.
func Seen(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
