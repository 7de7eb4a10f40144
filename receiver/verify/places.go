package verify

import (
	"slices"

	"sallyport.dev/sallyport/receiver/verify/document"
)

// places are all places in bodies that a provider reads, made ready.
type places struct {
	members []string // pointers, as they are written
	unique  []string // names of {members:…}
	paths   *document.Paths
	names   []string // of form fields
	fields  *document.Fields
}

// newPlaces makes places ready. unique are the names of top-level members that
// must be there once.
func newPlaces(list []place, unique []string) *places {
	p := &places{}
	var pointers [][]string
	for _, at := range list {
		switch {
		case at.kind == inJSON && !at.pointer.Wild() && !slices.Contains(p.members, at.name):
			p.members, pointers = append(p.members, at.name), append(pointers, at.pointer)
		case at.kind == inForm && !slices.Contains(p.names, at.name):
			p.names = append(p.names, at.name)
		}
	}
	for _, name := range unique {
		if !slices.Contains(p.unique, name) {
			p.unique = append(p.unique, name)
		}
	}
	p.paths, p.fields = document.Compile(pointers, p.unique), document.CompileFields(p.names)
	return p
}

// member is the number of a place in the body; known is false if the provider has
// no such one.
func (p *places) member(at place) (i int, known bool) {
	if p == nil {
		return 0, false
	}
	i = slices.Index(p.members, at.name)
	return i, i >= 0
}

// field is the number of a form field.
func (p *places) field(name string) (i int, known bool) {
	if p == nil {
		return 0, false
	}
	i = slices.Index(p.names, name)
	return i, i >= 0
}

// newPlacesOf gathers the places of a provider. One that is missing here is looked
// up by itself.
func newPlacesOf(v *Verifier) *places {
	var g gatherer
	for i := range v.schemes {
		s := &v.schemes[i]
		g.conditions(s.when, s.require)
		g.list = append(g.list, s.from...)
		g.optional(s.keyID, s.id)
		g.templates(s.contents...)
		if s.timestamp != nil {
			g.optional(&s.timestamp.from)
		}
		if s.headers != nil {
			g.optional(&s.headers.from)
		}
		if s.bodyDigest != nil {
			g.optional(&s.bodyDigest.from)
		}
		if s.source != nil && s.source.certificate != nil {
			g.optional(&s.source.certificate.from)
		}
	}
	g.templates(v.ids...)
	g.templates(v.types...)
	for i := range v.handshakes {
		h := &v.handshakes[i]
		g.conditions(h.match, h.guard)
		for _, variable := range h.answer.variables() {
			g.optional(&variable.at)
		}
		if h.confirm != nil {
			g.optional(&h.confirm.from)
		}
	}
	return newPlaces(g.list, g.unique)
}

// gatherer gathers places.
type gatherer struct {
	list   []place
	unique []string
}

func (g *gatherer) optional(places ...*place) {
	for _, at := range places {
		if at != nil {
			g.list = append(g.list, *at)
		}
	}
}

func (g *gatherer) conditions(lists ...conditions) {
	for _, list := range lists {
		for i := range list {
			g.list = append(g.list, list[i].at)
		}
	}
}

func (g *gatherer) templates(list ...template) {
	for _, t := range list {
		for i := range t {
			g.list = append(g.list, t[i].variable.at)
			g.unique = append(g.unique, t[i].variable.members...)
		}
	}
}
