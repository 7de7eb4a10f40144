package deliver

// learn tells the circuit of a target what came of an attempt, before that is written
// to the log: while the log is away, a target that fails must not get more.
func (w *workers) learn(j *job, result outcome) {
	if result.silent {
		return
	}
	id, now := j.target(), w.Store.Now()
	l := w.targets.learn(j, result, now)
	if l.proven {
		w.room.now()
	}
	if l.closed {
		w.metrics.circuitOpen.DeleteLabelValues(id.endpoint, id.name)
		w.Logger.Info("a target takes deliveries again: its circuit closes, and what is held is delivered",
			"endpoint", id.endpoint, "target", id.name)
	}
	if l.opened {
		w.metrics.circuitOpen.WithLabelValues(id.endpoint, id.name).Set(1)
		w.Logger.Warn("a target takes no deliveries: its circuit opens, what is stored is held, and senders that wait for it get 503",
			"endpoint", id.endpoint, "target", id.name, "reason", l.reason, "nextProbe", l.probe.Sub(now).String())
	}
	for _, j := range l.left {
		w.holder.put(j)
	}
}
