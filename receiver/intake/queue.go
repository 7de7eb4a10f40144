package intake

// queue holds elements in the order in which they came; each can leave at any time. It
// is a ring of the elements' own nodes, so that it allocates nothing.
type queue[T any] struct{ root node[T] }

// node is the place of an element in a queue.
type node[T any] struct {
	prev, next *node[T]
	element    T
}

// push appends an element that is in no queue.
func (q *queue[T]) push(n *node[T]) {
	if q.root.next == nil {
		q.root.prev, q.root.next = &q.root, &q.root
	}
	n.prev, n.next = q.root.prev, &q.root
	n.prev.next, n.next.prev = n, n
}

// oldest returns the element that came first; ok is false if there is none.
func (q *queue[T]) oldest() (element T, ok bool) {
	if q.root.next == nil || q.root.next == &q.root {
		return element, false
	}
	return q.root.next.element, true
}

// leave takes an element out of its queue, if it is in one.
func (n *node[T]) leave() {
	if n.next == nil {
		return
	}
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
}
