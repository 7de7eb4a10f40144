package eventsapi

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// maxJournal is how many records of one endpoint are read: about as many as are kept.
const maxJournal = 1000

// entry is a record of a journal of an endpoint.
type entry struct {
	endpoint    endpointRef
	unauthentic bool   // it is of the second journal, see store.Unauthentic
	id          string // its place in its journal: "ms-number"
	record      audit.Record
}

// name of the record: the two journals of an endpoint may have one id each. Names begin
// with the time, so that they sort as the records do.
func (e *entry) name() string {
	if e.unauthentic {
		return e.id + "-u." + e.endpoint.name
	}
	return e.id + "." + e.endpoint.name
}

// entryOf reads a record; false: it can't be read, and is left out. The endpoint is
// the one whose journal it is from, whatever the record says.
func entryOf(journal string, kept store.JournalRecord) (entry, bool) {
	endpoint := store.EndpointOfJournal(journal)
	e := entry{endpoint: refOf(endpoint), unauthentic: endpoint != journal, id: kept.ID}
	if err := json.Unmarshal(kept.Record, &e.record); err != nil {
		return entry{}, false
	}
	return e, true
}

// journals names both journals of each endpoint.
func journals(refs []endpointRef) []string {
	all := make([]string, 0, 2*len(refs))
	for _, r := range refs {
		all = append(all, r.String(), store.Unauthentic(r.String()))
	}
	return all
}

// journal reads the records of a journal, the oldest first.
func (a *api) journal(ctx context.Context, journal string) ([]entry, error) {
	kept, err := a.Store.Journal(ctx, journal, maxJournal)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(kept))
	for _, k := range kept {
		if e, ok := entryOf(journal, k); ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// millis is when the entry was written, by the clock of its Redis server. It is 0 if
// the id is none.
func millis(id string) uint64 {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(ms, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// endOf is the id of the last entry of a millisecond.
func endOf(ms uint64) string {
	return strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(math.MaxUint64, 10)
}

// seenEvent is what the journal says about an event.
type seenEvent struct {
	endpoint endpointRef
	record   audit.Record // the one that says most of the event itself
	last     audit.Status // what happened last, duplicates aside
}

func (s *seenEvent) name() string { return store.EventName(s.endpoint.String(), s.record.EventID) }

// seenEvents are the events of a journal, the one that was received last first.
func seenEvents(entries []entry) []*seenEvent {
	byID := map[string]*seenEvent{}
	for _, e := range entries {
		if !isStored(e.record.Status) || e.record.EventID == "" {
			continue
		}
		s := byID[e.record.EventID]
		switch {
		case s == nil:
			byID[e.record.EventID] = &seenEvent{e.endpoint, e.record, e.record.Status}
		case e.record.Status == audit.Duplicate:
			// The record is about a copy and not about the event.
		default:
			if s.record.Status == audit.Duplicate || e.record.Status == audit.Accepted {
				s.record = e.record
			}
			s.last = e.record.Status
		}
	}
	all := make([]*seenEvent, 0, len(byID))
	for _, s := range byID {
		all = append(all, s)
	}
	slices.SortFunc(all, newestFirst)
	return all
}

func newestFirst(a, b *seenEvent) int {
	return cmp.Or(b.record.ReceivedAt.Compare(a.record.ReceivedAt),
		strings.Compare(a.endpoint.String(), b.endpoint.String()), strings.Compare(a.record.EventID, b.record.EventID))
}

// isStored: a record of this outcome is about an event that is or was stored.
func isStored(s audit.Status) bool {
	switch s {
	case audit.Accepted, audit.Duplicate, audit.Delivered, audit.RetryScheduled, audit.DeadLettered,
		audit.Replayed, audit.Purged, audit.Expired:
		return true
	default:
		return false
	}
}
