package document

import (
	"math/bits"
	"slices"
)

// pass is where a pass stands. It goes through the text by blocks. Of the objects
// that pointers lead through it looks at the keys; of all others, at their brackets.
type pass struct {
	paths   *Paths
	text    []byte
	starts  []int  // of the values that were found
	seen    []bool // of the unique names
	again   []bool // of the unique names: there is a second one
	buffer  []byte // of keys with escapes
	awaited []awaited
	frames  []frame // the objects that it is in and that pointers lead through
	depth   int     // of open brackets
	level   int     // depth in the innermost of frames
}

// awaited is an object that pointers lead through and that is yet to come. The next
// one is the last.
type awaited struct {
	*node
	at int
}

type frame struct {
	*node
	level int
}

// run goes through the text, until nothing can be found any more.
func (s *pass) run() {
	var c carry
	for from := 0; from < len(s.text) && (len(s.frames) > 0 || len(s.awaited) > 0); from += blockSize {
		b := c.read(s.text, from)
		if b.inside == ^uint64(0) && b.quotes == 0 { // a long text goes on
			end, _ := stringEnd(s.text, from)
			c, from = carry{inside: ^uint64(0)}, end-blockSize
			continue
		}
		if s.skips(&b, from) {
			s.depth += bits.OnesCount64(b.opens) - bits.OnesCount64(b.closes)
			continue
		}
		for rest := ^uint64(0); rest != 0; {
			rest = s.look(&b, from, rest)
		}
	}
}

// skips reports whether all of a block is deeper than anything of interest.
func (s *pass) skips(b *block, from int) bool {
	return s.depth-s.level > bits.OnesCount64(b.closes) && !s.awaitsBefore(from+blockSize)
}

// look goes through those bytes of a block whose bits are set in rest, until it
// comes to another object whose keys are of interest. It returns what is left.
func (s *pass) look(b *block, from int, rest uint64) (left uint64) {
	keys := s.keys(b)
	for events := (b.opens | b.closes | keys) & rest; events != 0; {
		bit := events & -events
		events ^= bit
		switch {
		case keys&bit != 0:
			if s.depth == s.level {
				s.key(b, from, bit)
			}
		case b.opens&bit != 0:
			s.depth++
			if s.awaits(from, bit) {
				return rest & above(bit)
			}
			if s.depth == s.level+1 && !s.awaitsBefore(from+blockSize) {
				events &= s.skipNested(b, bit, events)
			}
		default:
			s.depth--
			if s.depth < s.level {
				s.leave()
				return rest & above(bit)
			}
		}
	}
	return 0
}

// awaits enters the object that begins at a bit, if it is the next that is awaited.
func (s *pass) awaits(from int, bit uint64) bool {
	next := len(s.awaited) - 1
	if next < 0 || s.awaited[next].at != from+bits.TrailingZeros64(bit) {
		return false
	}
	s.level = s.depth
	s.frames = append(s.frames, frame{s.awaited[next].node, s.level})
	s.awaited = s.awaited[:next]
	return true
}

// awaitsBefore reports whether an object is awaited before a place.
func (s *pass) awaitsBefore(place int) bool {
	return len(s.awaited) > 0 && s.awaited[len(s.awaited)-1].at < place
}

// skipNested skips what is in the brackets that open at a bit, and returns what is
// left of the block.
func (s *pass) skipNested(b *block, bit, events uint64) (left uint64) {
	if next := events & -events; b.closes&next != 0 {
		s.depth--
		return ^next
	}
	opens, closes := b.opens&above(bit), b.closes&above(bit)
	closed := 0
	for rest := closes; rest != 0; rest &= rest - 1 {
		before := (rest & -rest) - 1
		if closed++; closed > bits.OnesCount64(opens&before) {
			s.depth--
			return above(rest & -rest)
		}
	}
	s.depth += bits.OnesCount64(opens) - closed
	return 0
}

func (s *pass) leave() {
	s.frames = s.frames[:max(0, len(s.frames)-1)]
	s.level = 0
	if len(s.frames) > 0 {
		s.level = s.frames[len(s.frames)-1].level
	}
}

// keys marks the first quotes of strings that can be a wanted key of the innermost
// object, by their lengths.
func (s *pass) keys(b *block) (firsts uint64) {
	if len(s.frames) == 0 {
		return 0
	}
	firsts = b.quotes & b.inside
	n := &s.frames[len(s.frames)-1].names
	spans := n.spans
	if b.backslashes != 0 {
		spans = n.escapedSpans
	}
	var wanted uint64
	lasts := b.quotes &^ b.inside
	for _, span := range spans {
		wanted |= span.before(lasts)
	}
	if b.inside>>(blockSize-1) != 0 { // the last string goes on
		wanted |= 1 << (bits.Len64(firsts|1) - 1)
	}
	return firsts & wanted
}

// key looks at the string that begins at a bit of a block.
func (s *pass) key(b *block, from int, bit uint64) {
	var (
		start   = from + bits.TrailingZeros64(bit) + 1
		end     int
		escaped bool
		n       = s.frames[len(s.frames)-1].node
	)
	if lasts := b.quotes & above(bit); lasts != 0 {
		end = from + bits.TrailingZeros64(lasts)
		escaped = b.backslashes&above(bit)&(lasts&-lasts-1) != 0
	} else {
		end, escaped = stringEnd(s.text, start)
	}
	key := s.text[start:end]
	if escaped {
		var ok bool
		if key, ok = n.names.decode(&s.buffer, key); !ok {
			return
		}
	} else if !n.names.admit(key) {
		return
	}
	s.member(n, key, end+1)
}

// member looks at a string that stands before text[behind]: it may be the key of a
// member that is wanted.
func (s *pass) member(n *node, key []byte, behind int) {
	known := n.known(key)
	unique := n == s.paths.root && len(s.paths.unique) > 0
	if known == nil && !unique {
		return
	}
	value := afterColon(s.text, behind)
	if value == none { // it is no key, but a value itself
		return
	}
	if unique {
		s.compare(key, known)
	}
	if known != nil {
		s.await(known, value)
	}
}

// compare notes which of the unique names a key is once more. known is the node of
// that key.
func (s *pass) compare(key []byte, known *node) {
	sameLength := s.paths.plain && isASCII(key) // as all spellings
	for i, name := range s.paths.unique {
		if sameLength && len(name) != len(key) || s.again[i] || !folded(key, name) {
			continue
		}
		s.again[i] = s.seen[i] || known == nil || known.name != name
		s.seen[i] = true
	}
}

// await is for a node whose value begins at a place. What was found of an earlier
// one of the same name doesn't count any more.
func (s *pass) await(n *node, at int) {
	if n.last-n.first == 1 && n.index != none && len(n.children) == 0 {
		s.starts[n.index] = at
		return
	}
	for i := n.first; i < n.last; i++ {
		s.starts[i] = none
	}
	if n.index != none {
		s.starts[n.index] = at
	}
	switch {
	case at >= len(s.text) || len(n.children) == 0 && n != s.paths.root:
	case s.text[at] == '{':
		s.awaited = append(s.awaited, awaited{n, at})
	case s.text[at] == '[':
		s.awaitElements(n, at)
	}
}

// awaitElements looks for elements of an array. Those before the last one that is
// wanted are read twice.
func (s *pass) awaitElements(n *node, array int) {
	places := make([]int, 0, len(n.elements))
	at := skipSpace(s.text, array+1)
	more := at < len(s.text) && s.text[at] != ']'
	for index, i := 0, 0; more && i < len(n.elements); index++ {
		if index == n.elements[i].index {
			places = append(places, at)
			if i++; i == len(n.elements) {
				break
			}
		}
		at, more = s.next(valueEnd(s.text, at))
	}
	for i, place := range slices.Backward(places) {
		s.await(n.elements[i].node, place)
	}
}

// next is the place of the element behind one that ends at from; ok is false if
// there is none.
func (s *pass) next(from int) (at int, ok bool) {
	at = skipSpace(s.text, from)
	if at < len(s.text) && s.text[at] == ',' {
		return skipSpace(s.text, at+1), true
	}
	return at, false
}
