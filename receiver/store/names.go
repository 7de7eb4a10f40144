package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
)

// partitions is the number of hash tags that the names are spread over, so that
// one busy endpoint uses every shard of a Redis Cluster. It is part of the data
// format: a different number would not find what is stored.
const partitions = 64

// refBytes of a SHA-256 sum identify an event: with 192 bits nobody can make
// two events meet.
const refBytes = 24

// ref is the printable digest of an event's identity: the part of its names
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

// partitionPrefix are the prefixes "sallyport:{p}:", built once.
var partitionPrefix = func() (prefixes [partitions]string) {
	for p := range prefixes {
		prefixes[p] = "sallyport:{" + strconv.Itoa(p) + "}:"
	}
	return prefixes
}()

// perPartition are the names of one index in all partitions, built once.
func perPartition(index string) (names [partitions]string) {
	for p := range names {
		names[p] = partitionPrefix[p] + index
	}
	return names
}

// Each index exists once per partition, an event and a content mark once per event,
// a backlog once per target that has one, and the index of dead letters, beside the
// one of all, once per endpoint that has any.
var (
	dueName        = perPartition("due")
	attemptsName   = perPartition("attempts")
	delayedName    = perPartition("delayed")
	deadName       = perPartition("dead")
	heldName       = perPartition("held")
	usageName      = perPartition("usage")
	backlogsName   = perPartition("backlogs")
	eventPrefix    = perPartition("event:")
	marksPrefix    = perPartition("marks:")
	contentsPrefix = perPartition("contents:")
)

func backlogName(p int, t Target) string { return partitionPrefix[p] + "backlog:" + t.name() }

func deadOfName(p int, endpoint string) string { return partitionPrefix[p] + "dead:" + endpoint }

// The records and times of an endpoint are in the partition of its name.
func journalName(journal string) string {
	return partitionPrefix[endpointPartition(journal)] + "journal:" + journal
}
func trafficName(endpoint string) string {
	return partitionPrefix[endpointPartition(endpoint)] + "traffic:" + endpoint
}
func endpointPartition(journal string) int {
	return eventRef(EndpointOfJournal(journal), "").partition()
}

func eventName(r ref) string   { return eventPrefix[r.partition()] + string(r) }
func contentName(r ref) string { return partitionPrefix[r.partition()] + "content:" + string(r) }

func purgedName(l DeadLetter) string {
	return partitionPrefix[l.ref.partition()] + "purged:" + l.member()
}

// deliveryNames are the KEYS of the transitions of a delivery that may begin or end
// an event, in the order in which the scripts expect them.
func deliveryNames(r ref, endpoint string) []string {
	p := r.partition()
	return []string{eventName(r), dueName[p], attemptsName[p], delayedName[p], deadName[p], heldName[p],
		usageName[p], deadOfName(p, endpoint), marksName(r)}
}

// member names one delivery in the indexes of its partition.
func member(r ref, target string) string { return string(r) + "/" + target }

// splitMember is the inverse of member; ok is false for a foreign member.
func splitMember(m string) (r ref, target string, ok bool) {
	head, target, ok := strings.Cut(m, "/")
	r = ref(head)
	return r, target, ok && r.partition() >= 0
}
