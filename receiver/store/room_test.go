package store

import (
	"errors"
	"testing"

	"sallyport.dev/sallyport/test/redistest"
)

func TestCheckRoom(t *testing.T) {
	server := redistest.Start(t)
	s := openWith(t, Options{URL: server.URL()})
	must(t, s.CheckRoom(t.Context()))
	server.Do("CONFIG SET maxmemory 1")
	if err := s.CheckRoom(t.Context()); !errors.Is(err, ErrFull) {
		t.Errorf("of a full Redis: got %v, want ErrFull", err)
	}
	must(t, s.Ping(t.Context())) // which alone does not find it out
	server.Do("CONFIG SET maxmemory 0")
	must(t, s.CheckRoom(t.Context()))
	if n := server.Do("DBSIZE"); n != "0" {
		t.Errorf("Redis holds %s keys after the looks, want none", n)
	}
	server.Kill()
	if err := s.CheckRoom(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without Redis: got %v, want ErrUnavailable", err)
	}
}

// Events are spread over all masters, so one that is full puts senders off.
func TestCheckRoomOfACluster(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	s := openWith(t, Options{URL: nodes[0].URL() + "?cluster=true"})
	must(t, s.CheckRoom(t.Context()))
	nodes[2].Do("CONFIG SET maxmemory 1")
	if err := s.CheckRoom(t.Context()); !errors.Is(err, ErrFull) {
		t.Errorf("with a full master: got %v, want ErrFull", err)
	}
}
