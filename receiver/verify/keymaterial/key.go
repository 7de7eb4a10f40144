package keymaterial

// Key is key material that was checked and can be used.
type Key interface {
	// Match returns 1 if one of signatures is a signature of m, else 0. It looks
	// at all of them, whatever the first ones are.
	Match(m Message, signatures [][]byte) int
}

// SigningKey is what a signature can be made with.
type SigningKey interface {
	Sign(m Message) ([]byte, error)
}

// Parser makes a key of key material, or says what it expects. An error contains
// nothing of the material.
type Parser func(material []byte) (Key, error)
