package eventapi

import (
	"context"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// Store has the events; *store.Store is one.
type Store interface {
	Lookup(ctx context.Context, names []string) ([]store.EventInfo, error)
	Payload(ctx context.Context, name string) (*store.Event, error)
	DeadLetters(ctx context.Context, q store.DeadQuery) (store.DeadPage, error)
	Purge(ctx context.Context, l store.DeadLetter) error
	Usage(ctx context.Context, endpoints []string) ([]store.Usage, error)
	Traffic(ctx context.Context, endpoints []string) (map[string]store.Traffic, error)
	Journal(ctx context.Context, endpoint string, newest int) ([]store.JournalRecord, error)
	JournalEnd(ctx context.Context, endpoints []string) (map[string]string, error)
	FollowJournal(ctx context.Context, endpoints []string, after map[string]string, wait time.Duration) (map[string][]store.JournalRecord, error)
	// Now is the time by which deliveries are given up.
	Now() time.Time
}
