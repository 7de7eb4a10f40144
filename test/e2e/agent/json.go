package main

import (
	"encoding/json"
	"net/http"
)

// maxRequest bounds what the test may send: the ids of some 100,000 events.
const maxRequest = 8 << 20

// readJSON reads the body of a request, or answers 400.
func readJSON[T any](w http.ResponseWriter, r *http.Request) (T, bool) {
	var value T
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return value, err == nil
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) //nolint:errchkjson // what the agent says can be written; an error means that the client has gone
}
