// Package document reads single values of JSON texts and of forms without building
// the rest.
//
//	paths.go   all values that a set of pointers leads to, in one pass
//	names.go   which of the keys of an object can be one of the names wanted
//	walk.go    from a value to its members and elements, one step at a time
//	scan.go    where strings, objects and arrays end
//	text.go    the text of a value: escapes decoded, numbers as they are written
//	form.go    fields of a form, in the same way
//
// What a stranger sends is read before anything is known of it, so a pass looks
// only at the structure: at quotes and brackets, and at keys of a length that a
// wanted one can have. It does not find out whether the text is JSON. Who relies
// on what it finds asks [Valid] afterwards.
//
// It assumes nothing of its input. It promises that no input makes it panic, that
// it takes time in proportion to the input whatever that is, that it finds in JSON
// what encoding/json finds (the last of members with equal names), and that what
// it returns are slices of the input.
package document
