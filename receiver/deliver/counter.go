package deliver

import (
	"context"
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

// countEvery is the time between two counts of what is stored, and countQuiet if the
// last one found nothing new: a count asks Redis seven questions for each partition that
// holds something.
const (
	countEvery = 5 * time.Second
	countQuiet = 15 * time.Second
)

// counter keeps the gauges of what is stored. They stay as they are while the log
// is away. Only its loop uses it.
type counter struct {
	*core
	last store.Stats
}

func (c *counter) loop() loop { return loop{core: c.core, do: c.count} }

func (c *counter) count(ctx context.Context) (time.Duration, error) {
	stats, err := c.Store.Stats(ctx)
	if err != nil && !errors.Is(err, store.ErrPartly) {
		return countEvery, nil
	}
	c.metrics.stored(stats, c.Store.Now())
	stats.OldestPending = time.Time{} // grows older by itself
	if stats == c.last {
		return countQuiet, nil
	}
	c.last = stats
	return countEvery, nil
}
