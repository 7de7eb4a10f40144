package deliver

import (
	"math/rand/v2"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// backoff is how long to wait after so many attempts: exponential with full
// jitter, so that deliveries which failed together don't come back together.
// random returns a number in [0, n).
func backoff(retry route.Retry, attempts int, random func(n int64) int64) time.Duration {
	low, high := time.Duration(retry.MinBackoff), time.Duration(retry.MaxBackoff)
	ceiling := low
	for i := 1; i < attempts && ceiling < high; i++ {
		ceiling *= 2
	}
	ceiling = min(ceiling, high)
	return time.Duration(random(int64(ceiling) + 1))
}

func random(n int64) int64 { return rand.Int64N(n) } //nolint:gosec // jitter needs no secrecy
