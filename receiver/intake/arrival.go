package intake

import (
	"io"
	"time"
)

// arrival reads a body from a sender that has to keep a pace: it gets some time, more
// for all that it has sent, and never more than a timeout. Otherwise whoever sends a
// byte now and then could keep memory and a connection for as long as who sends all of a
// large body.
type arrival struct {
	body io.Reader
	// setDeadline says until when Read may wait.
	setDeadline    func(time.Time)
	grace, timeout time.Duration

	began    time.Time
	deadline time.Time // as it was set last
	bytes    int64     // that have arrived
}

// Read implements io.Reader. A sender that is too slow causes os.ErrDeadlineExceeded.
func (a *arrival) Read(p []byte) (int, error) {
	if a.began.IsZero() {
		a.began = time.Now()
	}
	earned := time.Duration(a.bytes) * time.Second / slowestRate
	if next := a.began.Add(min(a.grace+earned, a.timeout)); next.Sub(a.deadline) >= paceStep {
		a.deadline = next
		a.setDeadline(next)
	}
	n, err := a.body.Read(p)
	a.bytes += int64(n)
	return n, err
}
