package deliver

import "slices"

const (
	// laneShare is the part of the room that is still free which one lane may
	// fill, so that each further lane that is stuck gets less.
	laneShare = 8
	// backlogTurn: one job in so many comes from the log while there is live
	// traffic, so that a backlog neither delays it nor waits for ever.
	backlogTurn = 4
)

// lane is the queue of one target. Its jobs run side by side, as many as the
// target may get at a time. targets.mu guards it.
type lane struct {
	live     []*job // just accepted
	log      []*job // from the log: retries, what others left, what was held
	workers  int
	all      budget // queued or running
	refilled int    // of all jobs, those from the backlog
	running  int    // of the jobs from the log, those that run
	turn     int    // jobs taken since those from the log had their turn
	refused  bool   // a job was held for want of room since the lane last had some
}

// budget is what jobs take in memory.
type budget struct {
	jobs  int
	bytes int64
}

func (b *budget) add(j *job)    { b.jobs++; b.bytes += j.size }
func (b *budget) remove(j *job) { b.jobs--; b.bytes -= j.size }

// take removes the job whose turn it is; nil: there is none, or so many jobs from
// the log are running as may.
func (l *lane) take(share int) *job {
	fromLog := len(l.log) > 0 && l.running < share
	if len(l.live) > 0 && (!fromLog || l.turn < backlogTurn-1) {
		l.turn++
		return pop(&l.live)
	}
	l.turn = 0
	if !fromLog {
		return nil
	}
	l.running++
	return pop(&l.log)
}

func pop(queue *[]*job) *job {
	j := (*queue)[0]
	(*queue)[0] = nil
	*queue = (*queue)[1:]
	return j
}

// clear empties the queues and returns what was in them.
func (l *lane) clear() []*job {
	left := slices.Concat(l.live, l.log)
	l.live, l.log = nil, nil
	return left
}

// logShare is how many of the attempts at a time may be of jobs from the log.
func logShare(inFlight int) int { return (inFlight + 1) / 2 }
