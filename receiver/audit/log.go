package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// logQueue bounds the records that wait for the log. At 10,000 requests a
// second it bridges a stall of the log's reader of nearly a second, and takes
// some 6 MB when full.
const logQueue = 8192

// strangersLogQueue is how much of the queue strangers may fill. The rest is for what is
// authentic, so that their flood drops no record of an event.
const strangersLogQueue = logQueue / 2

// Log is a Sink that writes each record as one line of JSON. One goroutine writes;
// Record waits for nothing.
type Log struct {
	queue   chan Record
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
	closed  atomic.Bool
	metrics *Metrics

	// Only the writing goroutine uses these.
	out     io.Writer
	buffer  *bufio.Writer
	encoder *json.Encoder
}

// NewLog returns a Log that writes to w until Close. Failed writes are counted
// as dropped records.
func NewLog(w io.Writer, metrics *Metrics) *Log {
	l := &Log{
		queue: make(chan Record, logQueue),
		stop:  make(chan struct{}), done: make(chan struct{}),
		metrics: metrics,
		out:     w, buffer: bufio.NewWriterSize(w, 64<<10),
	}
	l.encoder = json.NewEncoder(l.buffer)
	l.encoder.SetEscapeHTML(false)
	go l.write()
	return l
}

// Record implements Sink. A full queue drops the record and counts it.
func (l *Log) Record(r Record) {
	stranger := r.isOfStranger()
	if l.closed.Load() || (stranger && len(l.queue) >= strangersLogQueue) {
		l.metrics.logDropped(stranger).Inc()
		return
	}
	select {
	case l.queue <- r:
	default:
		l.metrics.logDropped(stranger).Inc()
	}
}

// Close writes the queued records and ends the writer. Records that come later are
// dropped and counted. The error says that ctx ended before all was written.
func (l *Log) Close(ctx context.Context) error {
	l.closed.Store(true)
	l.once.Do(func() { close(l.stop) })
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("whatever reads the audit log is too slow, %d records are not written: %w", len(l.queue), ctx.Err())
	}
}

func (l *Log) write() {
	defer close(l.done)
	for {
		select {
		case r := <-l.queue:
			l.encode(r)
			l.writeQueued()
		case <-l.stop:
			l.writeQueued()
			return
		}
	}
}

// writeQueued writes all records that are queued, with few system calls.
func (l *Log) writeQueued() {
	for {
		select {
		case r := <-l.queue:
			l.encode(r)
		default:
			l.check(l.buffer.Flush())
			return
		}
	}
}

func (l *Log) encode(r Record) { l.check(l.encoder.Encode(r)) }

// check counts a failed write and resets the buffer, which would otherwise return its
// first error for ever, although the next write may succeed. Whose records were in the
// buffer is not known: they count as authentic.
func (l *Log) check(err error) {
	if err != nil {
		l.metrics.logDropped(false).Inc()
		l.buffer.Reset(l.out)
	}
}
