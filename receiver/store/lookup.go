package store

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// EventName names an event of an endpoint, "namespace/name": 48 hexadecimal digits
// in lower case, the bytes of its ref.
func EventName(endpoint, id string) string { return eventRef(endpoint, id).name() }

func (r ref) name() string {
	b, err := base64.RawURLEncoding.DecodeString(string(r))
	if err != nil {
		return ""
	}
	return hex.EncodeToString(b)
}

// parseName is the inverse of EventName. The error is ErrName.
func parseName(name string) (ref, error) {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != refBytes || name != strings.ToLower(name) {
		return "", ErrName
	}
	return ref(base64.RawURLEncoding.EncodeToString(b)), nil
}

// DeliveryState says where a delivery stands.
type DeliveryState string

// The states of deliveries that are stored.
const (
	// Pending: no attempt has failed. It is leased, or is to be.
	Pending DeliveryState = "Pending"
	// Retrying: an attempt has failed. The next one is made, or is to be.
	Retrying DeliveryState = "Retrying"
	// Held: it waits in the backlog of its target.
	Held DeliveryState = "Held"
	// DeadLettered: it was given up.
	DeadLettered DeliveryState = "DeadLettered"
)

// DeliveryInfo is what is known of a delivery that is not done.
type DeliveryInfo struct {
	// Target is "", or a route's name.
	Target string
	// State says where it stands.
	State DeliveryState
	// Failure says what happened so far.
	Failure Failure
	// At is, of what is Pending or Retrying, when it is due or its lease ends; of
	// what is Held, when its age began; of a dead letter, when it was given up.
	At time.Time
}

// EventInfo is an event without its headers and its body.
type EventInfo struct {
	// Name is as of EventName.
	Name string
	// Event has neither Header, Credentials, Body nor BodySHA256; nil if it is delivered.
	Event *Event
	// Delivered says that only the mark is left.
	Delivered bool
	// Deliveries are those that are not done. There is none for a moment while the
	// last one ends.
	Deliveries []DeliveryInfo
}

// Lookup finds events by their names, in some round trips for all. It leaves out
// those that are not stored, those that are with their targets while the senders
// wait, and those that this version can't read. The error is ErrName,
// or ErrUnavailable.
func (s *Store) Lookup(ctx context.Context, names []string) ([]EventInfo, error) {
	const doing = "look events up"
	ids := make([]ref, len(names))
	for i, name := range names {
		var err error
		if ids[i], err = parseName(name); err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	heads, err := s.heads(ctx, ids)
	if err != nil {
		return nil, classify(doing, err)
	}
	if err := s.addMarks(ctx, heads); err != nil {
		return nil, classify(doing, err)
	}
	infos := make([]EventInfo, 0, len(heads))
	var asked []*deliveryQuestion
	for _, h := range heads {
		switch {
		case h.state == stateDelivered:
			infos = append(infos, EventInfo{Name: h.ref.name(), Delivered: true})
		case h.record != nil:
			for _, target := range h.record.targets {
				asked = append(asked, &deliveryQuestion{info: len(infos), ref: h.ref, target: target})
			}
			infos = append(infos, EventInfo{Name: h.ref.name(), Event: h.record.event})
		}
	}
	return infos, classify(doing, s.deliveries(ctx, asked, infos))
}

// addMarks finds out which of the events that are not stored were delivered.
func (s *Store) addMarks(ctx context.Context, heads []head) error {
	marks := make([]*redis.StringCmd, len(heads))
	commands, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, h := range heads {
			if h.state == 0 {
				marks[i] = pipe.HGet(ctx, marksName(h.ref), string(h.ref.bytes(16, 32)))
			}
		}
		return nil
	})
	if err := failed(commands, err); err != nil {
		return err
	}
	for i, mark := range marks {
		if mark != nil && s.markStart(mark.Val()) != "" {
			heads[i].state = stateDelivered
		}
	}
	return nil
}

// Payload returns an event with headers and body, but without credentials. The error is ErrNotFound,
// ErrName or ErrUnavailable, or says that this version can't read the event.
func (s *Store) Payload(ctx context.Context, name string) (*Event, error) {
	const doing = "read an event"
	id, err := parseName(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	value, err := s.value(ctx, id)
	switch {
	case errors.Is(err, redis.Nil), err == nil && (len(value) == 0 || value[0] != statePending):
		return nil, fmt.Errorf("%s: %w", doing, ErrNotFound)
	case err != nil:
		return nil, classify(doing, err)
	}
	r, err := decodeRecord(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	r.event.Credentials = nil
	return r.event, nil
}

// value reads an event as it is stored; it may be large.
func (s *Store) value(ctx context.Context, id ref) ([]byte, error) {
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	size, err := s.client.StrLen(asking, eventName(id)).Result()
	if err != nil {
		return nil, err
	}
	ctx, cancel = context.WithTimeout(ctx, s.timeout+transferTime(size))
	defer cancel()
	return s.large.Get(ctx, eventName(id)).Bytes()
}

// deliveryQuestion asks where a delivery stands. A delivery is in one of three
// indexes; where it moves meanwhile it may be found in none or in two.
type deliveryQuestion struct {
	info   int // of which event
	ref    ref
	target string

	due, held, dead *redis.FloatCmd
	failure         *redis.StringCmd
}

// deliveries adds what is known of deliveries to their events.
func (s *Store) deliveries(ctx context.Context, asked []*deliveryQuestion, infos []EventInfo) error {
	if len(asked) == 0 {
		return nil
	}
	err := failed(s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, q := range asked {
			p, m := q.ref.partition(), member(q.ref, q.target)
			q.due = pipe.ZScore(ctx, dueName[p], m)
			q.held = pipe.ZScore(ctx, heldName[p], m)
			q.dead = pipe.ZScore(ctx, deadName[p], m)
			q.failure = pipe.HGet(ctx, attemptsName[p], m)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	for _, q := range asked {
		if d, ok := q.answer(); ok {
			infos[q.info].Deliveries = append(infos[q.info].Deliveries, d)
		}
	}
	return nil
}

// answer reads the replies; ok is false for a delivery that is done.
func (q *deliveryQuestion) answer() (d DeliveryInfo, ok bool) {
	d = DeliveryInfo{Target: q.target, Failure: decodeFailure(q.failure.Val())}
	switch {
	case q.dead.Err() == nil:
		d.State, d.At = DeadLettered, time.UnixMilli(int64(q.dead.Val()))
	case q.held.Err() == nil:
		d.State, d.At = Held, time.UnixMilli(int64(q.held.Val()))
	case q.due.Err() == nil && d.Failure.Attempts > 0:
		d.State, d.At = Retrying, time.UnixMicro(int64(q.due.Val()))
	case q.due.Err() == nil:
		d.State, d.At = Pending, time.UnixMicro(int64(q.due.Val()))
	default:
		return d, false
	}
	return d, true
}

// Usage is what an endpoint has stored, over all partitions.
type Usage struct {
	// Endpoint is "namespace/name".
	Endpoint string
	// Pending counts deliveries that are neither done nor given up, Held those of
	// them that wait in backlogs, and Dead those that were given up.
	Pending, Held, Dead int64
	// Bytes is what the events of all these take, headers included.
	Bytes int64
}

// Usage returns what endpoints have stored, in their order, in one round trip. What
// was deleted by hand may be counted for a minute more, see Recount.
func (s *Store) Usage(ctx context.Context, endpoints []string) ([]Usage, error) {
	if len(endpoints) == 0 {
		return nil, nil
	}
	rows, err := s.usageRows(ctx, endpoints)
	if err != nil {
		return nil, classify("count what endpoints have stored", err)
	}
	all := make([]Usage, len(endpoints))
	for i, endpoint := range endpoints {
		all[i].Endpoint = endpoint
		for _, row := range rows {
			all[i].add(row[i])
		}
	}
	return all, nil
}

// usageRows returns what endpoints have stored in each partition, in one round trip.
func (s *Store) usageRows(ctx context.Context, endpoints []string) (rows [partitions][]Usage, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var replies [partitions]*redis.SliceCmd
	_, err = s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for p := range replies {
			replies[p] = pipe.HMGet(ctx, usageName[p], endpoints...)
		}
		return nil
	})
	if err != nil {
		return rows, err
	}
	for p, reply := range replies {
		rows[p] = make([]Usage, len(endpoints))
		for i, row := range reply.Val() {
			text, _ := row.(string)
			rows[p][i] = parseUsage(text)
		}
	}
	return rows, nil
}

// parseUsage reads a row of a partition, as the scripts write it.
func parseUsage(row string) (u Usage) {
	fields := strings.Fields(row)
	for i, number := range []*int64{&u.Pending, &u.Held, &u.Dead, &u.Bytes} {
		if i < len(fields) {
			*number, _ = strconv.ParseInt(fields[i], 10, 64) // 0 if it is none: Recount mends it
		}
	}
	return u
}

func (u *Usage) add(part Usage) {
	u.Pending += part.Pending
	u.Held += part.Held
	u.Dead += part.Dead
	u.Bytes += part.Bytes
}

// recountMost is how many deliveries of a partition are counted in one go: a script
// holds up all of Redis while it runs.
const recountMost = 2048

// Recounted is the result of a Recount.
type Recounted struct {
	// Mended counts the partitions in which Usage was wrong and is right now.
	Mended int
	// Crowded counts those in which it is wrong, and which hold too much to be
	// counted. They are right again when enough of that is delivered.
	Crowded int
	// Bytes is what the events of all endpoints take.
	Bytes int64
}

// Recount looks whether Usage agrees with what is stored, and mends it. It differs
// where somebody deleted events by hand, and after an update from a version that
// did not count.
func (s *Store) Recount(ctx context.Context) (Recounted, error) {
	var r Recounted
	for p := range partitions {
		if err := s.recountPartition(ctx, p, &r); err != nil {
			return r, classify("count what is stored anew", err)
		}
	}
	return r, nil
}

func (s *Store) recountPartition(ctx context.Context, p int, r *Recounted) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	reply, err := s.run(ctx, recountScript, []string{dueName[p], heldName[p], deadName[p], usageName[p], attemptsName[p]}, partitionPrefix[p], recountMost)
	if err != nil {
		return err
	}
	list, ok := reply.([]any)
	if !ok || len(list) < 3 {
		return fmt.Errorf("unexpected reply %v to the recount script", reply)
	}
	switch list[0] {
	case int64(1):
		r.Mended++
	case int64(2):
		r.Crowded++
	}
	bytes, _ := list[1].(int64)
	r.Bytes += bytes
	s.missing.noteReply(list[2])
	return nil
}
