package document

import (
	"encoding/binary"
	"math/bits"
)

// blockSize is how many bytes are looked at together: as many as a word has bits.
const blockSize = 64

// block says of each of the bytes from a place on, by one bit, what it is; the
// lowest bit is that of the first byte.
type block struct {
	quotes      uint64 // that begin or end a string
	inside      uint64 // of a string, its first quote among them
	backslashes uint64
	opens       uint64 // brackets, outside of strings
	closes      uint64
}

// carry is what a block has to know of the bytes before it.
type carry struct {
	inside  uint64 // all bits: it begins inside of a string
	escaped uint64 // 1: its first byte is escaped
}

// read looks at the block that begins at text[from]. Behind the end of text there
// is space.
func (c *carry) read(text []byte, from int) (b block) {
	bytes := text[from:]
	if len(bytes) < blockSize {
		bytes = padded(bytes)
	}
	bytes = bytes[:blockSize]
	var quotes, others uint64
	for i := 0; i < blockSize; i += 8 {
		w := binary.LittleEndian.Uint64(bytes[i:])
		quotes |= gather(equal(w, '"'*ones)) << (i & (blockSize - 1))
		others |= w & (w << 2) & (w << 3) // the three bits that backslashes and brackets have, and few else
	}
	var opens, closes uint64
	if others&threeBits != 0 {
		for i := 0; i < blockSize; i += 8 {
			w := binary.LittleEndian.Uint64(bytes[i:])
			shift := i & (blockSize - 1)
			b.backslashes |= gather(equal(w, '\\'*ones)) << shift
			w |= braceBit
			opens |= gather(equal(w, '{'*ones)) << shift
			closes |= gather(equal(w, '}'*ones)) << shift
		}
	}
	b.quotes = quotes &^ c.escapes(b.backslashes)
	b.inside = prefixXOR(b.quotes) ^ c.inside
	c.inside = uint64(int64(b.inside) >> (blockSize - 1))
	b.opens, b.closes = opens&^b.inside, closes&^b.inside
	return b
}

// padded is a block with space behind its bytes.
func padded(bytes []byte) []byte {
	block := make([]byte, blockSize)
	for i := copy(block, bytes); i < blockSize; i++ {
		block[i] = ' '
	}
	return block
}

// In a word of eight bytes, these are one byte eight times.
const (
	ones      = 0x0101010101010101
	lows      = 0x7f * ones
	threeBits = 0x40 * ones // with the bits 0x10 and 0x08 shifted to it
	braceBit  = 0x20 * ones // that "{" has and "[" lacks, and "}" has and "]" lacks
)

// equal has the high bit of each byte set in which word and pattern are the same.
func equal(word, pattern uint64) uint64 {
	x := word ^ pattern
	return ^(x&lows + lows | x | lows)
}

// gather makes eight neighbours of the high bits of eight bytes.
func gather(highs uint64) uint64 {
	return highs >> 7 * 0x0102040810204080 >> 56
}

// escapes are the bytes that are escaped: those behind a backslash that is not
// escaped itself, so behind an odd number of them. Adding a bit to where a row of
// backslashes begins carries it to behind the row; that the rows that begin at odd
// places and at even ones are told apart says which are odd.
func (c *carry) escapes(backslashes uint64) (escaped uint64) {
	if backslashes == 0 {
		escaped, c.escaped = c.escaped, 0
		return escaped
	}
	const even = 0x5555555555555555
	backslashes &^= c.escaped
	behind := backslashes<<1 | c.escaped
	oddStarts := backslashes &^ even &^ behind
	rows, overflow := bits.Add64(oddStarts, backslashes, 0)
	c.escaped = overflow
	return (even ^ rows<<1) & behind
}

// prefixXOR has a bit set if it and those below it in x have an odd number of ones.
func prefixXOR(x uint64) uint64 {
	x ^= x << 1
	x ^= x << 2
	x ^= x << 4
	x ^= x << 8
	x ^= x << 16
	return x ^ x<<32
}

// above are all bits above one.
func above(bit uint64) uint64 { return ^(bit | (bit - 1)) }
