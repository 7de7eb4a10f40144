// Package document reads single values of what bodies are made of, without building
// the rest, and writes single values into it, without changing the rest.
//
//	paths.go      all values of a JSON text that a set of pointers leads to, in one pass
//	pass.go       that pass, over a text of which nothing is known yet
//	blocks.go     skips blocks of the text that hold no structure
//	names.go      which keys of an object can be one of the names wanted
//	walk.go       from a value to its members and elements, one step at a time
//	scan.go       where strings, objects and arrays end
//	text.go       the text of a value: escapes decoded, numbers as they are written
//	pointer.go    what one JSON pointer leads to
//	edit.go       writes a value where a pointer leads to
//	form.go       fields of a form, all in one pass, or sorted
//	pairs.go      changes fields of a form, or parameters of a query
//	multipart.go  forms with files: reads their fields, and changes one
//	xml.go        the text of one element
//	coding.go     undoes what Content-Encoding names
//
// What a stranger sends is read before anything is known of it, so a pass looks
// only at the structure: at quotes and brackets, and at keys of a length that a
// wanted one can have. It does not find out whether the text is JSON. Who relies
// on what it finds asks [Valid] afterwards.
//
// Package document assumes nothing of its input, but that [Pointer] walks and edits
// texts that are [Valid], and that the caller bounds the size of bodies. It promises
// that no input makes it panic, that it takes time in proportion to the input
// whatever that is, that it finds in JSON what encoding/json finds (the last of
// members with equal names), and that the values that it returns are slices of the
// input.
package document
