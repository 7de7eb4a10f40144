package store

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// What stays of an event that is delivered is a field of a small hash, since nothing
// takes less room in Redis. The hash is chosen by bits of the event's digest, and
// the field is others of them: with 96 bits, and 14 that choose the hash, no two of 10^9
// events meet but with a chance of 1 to 10^15. An event whose digest is like that of
// another one would count as delivered; who wants that has to find it among 2^110.
const (
	markField = 12
	// markContent is how much of the digest of the signed content is kept.
	markContent = 16
	// markTime is the time in front of it: when the mark ends, in s.
	markTime = 4
)

// marksName is the hash in which the mark of an event is: one of 256 in its partition, so
// that each is small where there are few millions.
func marksName(r ref) string { return hashName(&marksPrefix, r) }

// contentsName is the hash in which the mark of a content is.
func contentsName(r ref) string { return hashName(&contentsPrefix, r) }

func hashName(prefix *[partitions]string, r ref) string {
	return prefix[r.partition()] + hex.EncodeToString(r.bytes(4, 8)[:1])
}

// bytes decodes some of the digits, of which four are three bytes.
func (r ref) bytes(from, to int) []byte {
	b, err := base64.RawURLEncoding.DecodeString(string(r[from:to]))
	if err != nil || len(b) == 0 {
		return make([]byte, markField) // no event has that name
	}
	return b
}

// markOf tells the scripts which field it is, and what time it is, in s: see remembered
// in prelude.lua.
func (s *Store) markOf(r ref) []byte {
	b := append(make([]byte, 0, markField+markTime), r.bytes(16, 32)...)
	return binary.BigEndian.AppendUint32(b, uint32(s.CertainNow().Unix()))
}

// markValue is what the field holds, and for how many seconds from now on: rounded up, so
// that nothing is forgotten too early. 0: nothing is to be remembered.
func (s *Store) markValue(f *facts, rest time.Duration) (value []byte, seconds int64) {
	if rest <= 0 {
		return nil, 0
	}
	now := s.Now()
	until := now.Add(rest + time.Second - 1).Unix()
	value = binary.BigEndian.AppendUint32(nil, uint32(until))
	if f.content != [32]byte{} {
		value = append(value, f.content[:markContent]...)
	}
	return value, until - now.Unix() + 1
}

// markStart is a mark as the start of a marker: what versions wrote that had no hashes.
// Empty: there is no mark, or its time is over.
func (s *Store) markStart(value string) string {
	if len(value) < markTime || int64(binary.BigEndian.Uint32([]byte(value))) <= s.CertainNow().Unix() {
		return ""
	}
	return string([]byte{stateDelivered, recordVersion}) + value[markTime:]
}

// isContent reports whether what is stored of a content is that of it.
func isContent(stored string, content *[32]byte) bool {
	return len(stored) >= markContent && strings.HasPrefix(string(content[:]), stored)
}
