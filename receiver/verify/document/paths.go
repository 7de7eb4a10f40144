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
	plain  bool     // all of unique are ASCII
}

// node is a place that pointers lead to or through.
type node struct {
	name  string
	index int // of the pointer that ends here, in found; or none
	// Pointers that end here or below have the places from first to last of found.
	first, last int
	children    []*node
	buckets     [borders + 1]uint16 // of children, once they are sorted: those of a hash begin here
	elements    []indexed           // those of children whose names are indices, in their order
	names       names               // of children
}

type indexed struct {
	index int
	*node
}

// Compile makes a set of pointers, each taken apart into its tokens. unique are
// names of top-level members of which a pass also finds out whether each is there
// once, in whatever case: readers differ in which of several they take.
func Compile(pointers [][]string, unique []string) *Paths {
	p := &Paths{root: &node{index: none}, unique: unique, plain: !slices.ContainsFunc(unique, func(name string) bool { return !isASCII(name) })}
	ends := make([]*node, 0, len(pointers)+len(unique))
	for _, tokens := range pointers {
		at := p.root
		for _, token := range tokens {
			at = at.child(token)
		}
		ends = append(ends, at)
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

// number makes the nodes ready and gives them places from next on, parents before their children.
func (n *node) number(next int) int {
	n.names.ready()
	n.sort()
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

// Found is what a pass found in a text.
type Found struct {
	paths  *Paths
	text   []byte
	starts []int // of values; or none
	again  []bool
}

// Value is the value that the pointer with that place in the set leads to, as it
// is written; nil: there is none.
func (f *Found) Value(pointer int) []byte {
	start := f.starts[f.paths.places[pointer]]
	if start == none || start >= len(f.text) {
		return nil
	}
	end := valueEnd(f.text, start)
	return f.text[start:end:end]
}

// Object reports whether the document is an object.
func (f *Found) Object() bool {
	start := skipSpace(f.text, 0)
	return start < len(f.text) && f.text[start] == '{'
}

// Unique is the value of the unique name with that place in its set; nil: there is
// none. again: it is there more than once, or in another case.
func (f *Found) Unique(name int) (value []byte, again bool) {
	pointers := len(f.paths.places) - len(f.paths.unique)
	return f.Value(pointers + name), f.again[name]
}

// Find looks all pointers up, in one pass. What it finds in a text that is no JSON
// means nothing.
func (p *Paths) Find(text []byte) Found {
	s := pass{paths: p, text: text, starts: make([]int, p.root.last), seen: make([]bool, len(p.unique)), again: make([]bool, len(p.unique))}
	s.await(p.root, skipSpace(text, 0))
	s.run()
	return Found{paths: p, text: text, starts: s.starts, again: s.again}
}

// sort puts children with the same first and last byte side by side.
func (n *node) sort() {
	slices.SortStableFunc(n.children, func(a, b *node) int { return cmp.Compare(borderOfKey(a.name), borderOfKey(b.name)) })
	for _, c := range n.children {
		for hash := borderOfKey(c.name) + 1; hash <= borders; hash++ {
			n.buckets[hash]++
		}
	}
}

// known is the child of that name; nil: there is none.
func (n *node) known(name []byte) *node {
	hash := borderOfKey(name)
	for _, c := range n.children[n.buckets[hash]:n.buckets[hash+1]] {
		if string(name) == c.name {
			return c
		}
	}
	return nil
}
