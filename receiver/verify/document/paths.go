package document

import (
	"cmp"
	"slices"
)

// Paths is a set of JSON pointers, made ready for looking up all of them in one
// pass. It is immutable and safe for concurrent use.
type Paths struct {
	root   *node
	places []int    // of the pointers and the unique names, in Found.values
	unique []string // see Compile
}

// none is the index of a node that no pointer ends at.
const none = -1

// node is a place that pointers lead to or through.
type node struct {
	name  string
	index int // of the pointer that ends here, in found; or none
	// Pointers that end here or below have the places from first to last of found.
	first, last int
	children    []*node
	elements    []indexed // those of children whose names are indices, in their order
	names       names     // of children
}

type indexed struct {
	index int
	*node
}

// Compile makes a set of pointers, each taken apart into its tokens. unique are
// names of top-level members of which a pass also finds out whether each is there
// once, in whatever case: readers differ in which of several they take.
func Compile(pointers [][]string, unique []string) *Paths {
	p := &Paths{root: &node{index: none}, unique: unique}
	ends := make([]*node, len(pointers))
	for i, tokens := range pointers {
		at := p.root
		for _, token := range tokens {
			at = at.child(token)
		}
		ends[i] = at
		at.index = 0 // one pointer at least; see number
	}
	for _, name := range unique {
		at := p.root.child(name)
		at.index = 0
		ends = append(ends, at)
		p.root.names.addFolded(name)
	}
	p.root.number(0)
	for _, end := range ends {
		p.places = append(p.places, end.index)
	}
	return p
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	c := &node{name: name, index: none}
	n.children = append(n.children, c)
	n.names.add(name)
	if index, ok := parseIndex(name); ok {
		n.elements = append(n.elements, indexed{index, c})
		slices.SortFunc(n.elements, func(a, b indexed) int { return cmp.Compare(a.index, b.index) })
	}
	return c
}

// number gives the nodes places from next on, parents before their children.
func (n *node) number(next int) int {
	n.first = next
	if n.index != none {
		n.index = next
		next++
	}
	for _, c := range n.children {
		next = c.number(next)
	}
	n.last = next
	return next
}

// Found is what a pass found.
type Found struct {
	paths  *Paths
	values [][]byte
	again  []bool // of the unique names: there is a second one
	object bool
}

// Value is the value that the pointer with that place in the set leads to, as it
// is written; nil: there is none.
func (f *Found) Value(pointer int) []byte { return f.values[f.paths.places[pointer]] }

// Object reports whether the document is an object.
func (f *Found) Object() bool { return f.object }

// Unique is the value of the unique name with that place in its set; nil: there is
// none. again: it is there more than once, or in another case.
func (f *Found) Unique(name int) (value []byte, again bool) {
	pointers := len(f.paths.places) - len(f.paths.unique)
	return f.Value(pointers + name), f.again[name]
}

// Find looks all pointers up, in one pass. What it finds in a text that is no JSON
// means nothing.
func (p *Paths) Find(text []byte) Found {
	s := pass{text: text, found: Found{paths: p, values: make([][]byte, p.root.last), again: make([]bool, len(p.unique))}, seen: make([]bool, len(p.unique))}
	start := skipSpace(text, 0)
	s.found.object = start < len(text) && text[start] == '{'
	s.value(p.root, start)
	return s.found
}

// pass is where a pass stands.
type pass struct {
	text  []byte
	found Found
	seen  []bool // of the unique names
}

// value reads the value at a node, and returns where it ends. What was found of an
// earlier one of the same name doesn't count any more.
func (s *pass) value(n *node, from int) (end int) {
	clear(s.found.values[n.first:n.last])
	switch {
	case len(n.children) == 0 && n != s.found.paths.root || from >= len(s.text):
		end = valueEnd(s.text, from)
	case s.text[from] == '{':
		end = s.object(n, from+1)
	case s.text[from] == '[' && len(n.elements) > 0:
		end = s.array(n, from+1)
	default:
		end = valueEnd(s.text, from)
	}
	if n.index != none && from < end {
		s.found.values[n.index] = s.text[from:end:end]
	}
	return end
}

func (s *pass) object(n *node, from int) (end int) {
	unique := n == s.found.paths.root && len(s.found.paths.unique) > 0
	return members(s.text, from, &n.names, func(key []byte, value int) int {
		var known *node
		for _, c := range n.children {
			if string(key) == c.name {
				known = c
				break
			}
		}
		if unique {
			s.compare(key, known)
		}
		if known == nil {
			return valueEnd(s.text, value)
		}
		return s.value(known, value)
	})
}

// compare notes which of the unique names a key is once more. known is the node of
// that key, which has a value if it was there before.
func (s *pass) compare(key []byte, known *node) {
	for i, name := range s.found.paths.unique {
		if !folded(key, name) {
			continue
		}
		if known == nil || known.name != name || s.seen[i] {
			s.found.again[i] = true
		}
		s.seen[i] = true
	}
}

func (s *pass) array(n *node, from int) (end int) {
	at := skipSpace(s.text, from)
	more := at < len(s.text) && s.text[at] != ']'
	index := 0
	for _, wanted := range n.elements {
		for ; more && index < wanted.index; index++ {
			at, more = s.next(valueEnd(s.text, at))
		}
		if !more {
			break
		}
		at, more = s.next(s.value(wanted.node, at))
		index++
	}
	return nestedEnd(s.text, at, 1)
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
