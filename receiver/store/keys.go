package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
)

// partitions is the number of hash tags that the keys are spread over, so that
// one busy endpoint uses every shard of a Redis Cluster. It is part of the data
// format: a different number would not find what is stored.
const partitions = 64

// refBytes of a SHA-256 sum identify an event: with 192 bits nobody can make
// two events meet.
const refBytes = 24

// ref is the printable digest of an event's identity: the part of its keys
// after the hash tag.
type ref string

// eventRef digests (endpoint, id). The length in front of each part keeps
// ("a", "bc") and ("ab", "c") apart.
func eventRef(endpoint, id string) ref {
	return digest([]byte(endpoint), []byte(id))
}

// contentRef digests (endpoint, digest of the signed content).
func contentRef(endpoint string, content *[32]byte) ref {
	return digest([]byte(endpoint), content[:])
}

func digest(parts ...[]byte) ref {
	h := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return ref(base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:refBytes]))
}

// partition derives the hash tag from the digest itself, so that whoever holds
// a ref finds the event. It is -1 if r is no ref.
func (r ref) partition() int {
	var first [3]byte
	if len(r) < 4 {
		return -1
	}
	if _, err := base64.RawURLEncoding.Decode(first[:], []byte(r[:4])); err != nil {
		return -1
	}
	return int(first[0]) % partitions
}

// partitionKeys are the prefixes "sallyport:{p}:", built once.
var partitionKeys = func() (keys [partitions]string) {
	for p := range keys {
		keys[p] = "sallyport:{" + strconv.Itoa(p) + "}:"
	}
	return keys
}()

// perPartition are the keys of one name in all partitions, built once.
func perPartition(name string) (keys [partitions]string) {
	for p := range keys {
		keys[p] = partitionKeys[p] + name
	}
	return keys
}

var (
	dueKeys       = perPartition("due")
	attemptsKeys  = perPartition("attempts")
	delayedKeys   = perPartition("delayed")
	deadKeys      = perPartition("dead")
	parkedKeys    = perPartition("parked")
	usageKeys     = perPartition("usage")
	backlogsKeys  = perPartition("backlogs")
	eventPrefixes = perPartition("event:")
)

// Each key exists once per partition, event and content keys once per event,
// backlog keys once per target that has one, and those of dead letters, beside the
// one of all, once per endpoint that has any.
func dueKey(p int) string      { return dueKeys[p] }
func attemptsKey(p int) string { return attemptsKeys[p] }
func delayedKey(p int) string  { return delayedKeys[p] }
func deadKey(p int) string     { return deadKeys[p] }
func parkedKey(p int) string   { return parkedKeys[p] }
func usageKey(p int) string    { return usageKeys[p] }
func backlogsKey(p int) string { return backlogsKeys[p] }
func eventPrefix(p int) string { return eventPrefixes[p] }

func backlogKey(p int, t Target) string { return partitionKeys[p] + "backlog:" + t.name() }

func deadOfKey(p int, endpoint string) string { return partitionKeys[p] + "dead:" + endpoint }

// The records and times of an endpoint are in the partition of its name.
func journalKey(endpoint string) string {
	return partitionKeys[endpointPartition(endpoint)] + "journal:" + endpoint
}
func trafficKey(endpoint string) string {
	return partitionKeys[endpointPartition(endpoint)] + "traffic:" + endpoint
}
func endpointPartition(endpoint string) int { return eventRef(endpoint, "").partition() }

func eventKey(r ref) string   { return eventPrefix(r.partition()) + string(r) }
func contentKey(r ref) string { return partitionKeys[r.partition()] + "content:" + string(r) }

func purgedKey(l DeadLetter) string { return partitionKeys[l.ref.partition()] + "purged:" + l.member() }

// deliveryKeys are the keys that the transitions of a delivery declare which may
// begin or end an event, in the order in which the scripts expect them.
func deliveryKeys(r ref, endpoint string) []string {
	p := r.partition()
	return []string{eventPrefix(p) + string(r), dueKey(p), attemptsKey(p), delayedKey(p), deadKey(p), parkedKey(p),
		usageKey(p), deadOfKey(p, endpoint)}
}

// member names one delivery in the indexes of its partition.
func member(r ref, target string) string { return string(r) + "/" + target }

// splitMember is the inverse of member; ok is false for a foreign member.
func splitMember(m string) (r ref, target string, ok bool) {
	head, target, ok := strings.Cut(m, "/")
	r = ref(head)
	return r, target, ok && r.partition() >= 0
}
