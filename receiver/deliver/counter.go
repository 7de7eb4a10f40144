package deliver

import (
	"context"
	"time"
)

// countEvery is the time between two counts of what is stored.
const countEvery = 5 * time.Second

// counter keeps the gauges of what is stored. They stay as they are while the log
// is away.
type counter struct{ *core }

func (c counter) loop() loop { return loop{core: c.core, do: c.count} }

func (c counter) count(ctx context.Context) (time.Duration, error) {
	if stats, err := c.Store.Stats(ctx); err == nil {
		c.metrics.stored(stats, c.Store.Now())
	}
	c.reportMissing()
	return countEvery, nil
}

// reportMissing says that accepted events are lost.
func (c counter) reportMissing() {
	missing := c.Store.TakeMissing()
	if missing.Count == 0 {
		return
	}
	c.metrics.missing.Add(float64(missing.Count))
	c.Logger.Error("events that were accepted are gone from redis without having been delivered or purged: "+
		"somebody deleted them, or redis lost them (see maxmemory-policy, and whether it was restored from a copy)",
		"count", missing.Count, "deliveries", missing.Deliveries)
}
