package deliver

import (
	"context"
	"errors"
	"time"

	"sallyport.dev/sallyport/receiver/store"
)

const (
	// measureEvery is the time between two looks at how full Redis is: in it, many
	// endpoints together may store more than there is room for.
	measureEvery = time.Second
	// measureRarely is that time when Redis does not tell.
	measureRarely = time.Minute
)

// gauge keeps the log's measures up to date, by how full Redis is, and says what they
// and the clocks come to. It is of one loop.
type gauge struct {
	*core
	unknown bool  // Redis doesn't tell
	most    int64 // of an endpoint, as it was said last
	before  store.Measures
	skewed  bool
}

func newGauge(c *core) *gauge { return &gauge{core: c, before: store.Memory{}.Measures()} }

func (g *gauge) loop() loop {
	return loop{core: g.core, doing: "ask how full redis is", do: g.measure, longest: maxBackoff}
}

func (g *gauge) measure(ctx context.Context) (time.Duration, error) {
	g.reportSkew()
	g.reportMissing()
	memory, err := g.Store.Measure(ctx)
	if errors.Is(err, store.ErrMemoryUnknown) {
		if !g.unknown {
			g.Logger.Warn("how full redis is can't be known, so that what endpoints store is bounded by --max-queued-bytes only: allow INFO", "error", err)
		}
		g.unknown = true
		return measureRarely, nil
	}
	if err != nil {
		return measureEvery, err
	}
	g.unknown = false
	g.metrics.memory.Set(memory.Ratio())
	g.reportMeasures(memory, g.Store.Measures())
	return measureEvery, nil
}

// reportMeasures logs what changes.
func (g *gauge) reportMeasures(memory store.Memory, now store.Measures) {
	bound := g.MaxQueuedBytes
	if bound > 0 && now.EndpointBytes > 0 {
		bound = min(bound, now.EndpointBytes)
	}
	g.metrics.bound.Set(float64(bound))
	g.metrics.window.Set(now.Window)
	most := memory.MostOfEndpoint()
	if g.most != most && most > 0 && g.MaxQueuedBytes != store.DefaultMaxQueuedBytes && (g.MaxQueuedBytes > most || g.MaxQueuedBytes == 0) {
		g.Logger.Error("--max-queued-bytes is more than redis has room for: one endpoint could keep all others from being served; "+
			"a bound above a quarter of maxmemory is lowered to that, and 0 is not", "maxQueuedBytes", g.MaxQueuedBytes, "quarterOfMaxmemory", most)
	}
	g.most = most
	if now.Journal != g.before.Journal {
		g.Logger.Warn("the room in redis for audit records has changed", "kept", now.Journal, "memoryRatio", memory.Ratio())
	}
	if (now.Window < 1) != (g.before.Window < 1) {
		g.Logger.Error("how long delivered events are remembered has changed, for lack of room in redis: raise maxmemory, or shorten the windows",
			"partOfTheWindow", now.Window, "memoryRatio", memory.Ratio())
	}
	g.before = now
}

// reportSkew says that the clocks differ, and what is not done because of it.
func (g *gauge) reportSkew() {
	skew := g.Store.Skew()
	g.metrics.skew.Set(skew.Seconds())
	skewed := skew.Abs() > store.MaxSkew
	if skewed && !g.skewed {
		g.Logger.Error("the clocks of redis and of this receiver differ too much: until that is mended, nothing expires, "+
			"and no delivery is retried, before both say that it is time", "redisIsAheadBy", skew)
	}
	if !skewed && g.skewed {
		g.Logger.Info("the clocks of redis and of this receiver agree again", "redisIsAheadBy", skew)
	}
	g.skewed = skewed
}

// reportMissing says that accepted events are lost.
func (g *gauge) reportMissing() {
	missing := g.Store.TakeMissing()
	if missing.Count == 0 {
		return
	}
	g.metrics.missing.Add(float64(missing.Count))
	g.Logger.Error("events that were accepted are gone from redis without having been delivered or purged: "+
		"somebody deleted them, or redis lost them (see maxmemory-policy, and whether it was restored from a copy)",
		"count", missing.Count, "deliveries", missing.Deliveries)
}
