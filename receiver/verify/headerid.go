package verify

// HeaderID is an event id as it can stand in a header, which is what Identify gives:
// an earlier version gave others, which may still be stored.
func HeaderID(id string) string { return fit(id) }
