package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Do sends a command, its words separated by blanks, and returns the answer: a
// status, a number or a text, "" for nil. An error of Redis fails the test.
func (s *Server) Do(command string) string {
	s.tb.Helper()
	answer, err := do(s.Addr, command)
	if err != nil {
		s.tb.Fatalf("%s to %s: %v", command, s.Addr, err)
	}
	return answer
}

// Info returns one field of INFO, "" if there is none.
func (s *Server) Info(section, field string) string {
	s.tb.Helper()
	return infoField(s.Do("INFO "+section), field)
}

func infoField(info, field string) string {
	for line := range strings.SplitSeq(info, "\r\n") {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return value
		}
	}
	return ""
}

// do speaks the inline protocol, so that this package needs no client.
func do(addr, command string) (string, error) {
	conn, err := dial(addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	return readAnswer(bufio.NewReader(conn))
}

// dial connects for one command.
func dial(addr string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(5 * time.Second))
}

func readAnswer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty answer")
	}
	switch text := line[1:]; line[0] {
	case '+', ':':
		return text, nil
	case '-':
		return "", errors.New(text)
	case '$':
		size, err := strconv.Atoi(text)
		if err != nil || size < 0 {
			return "", err
		}
		bulk := make([]byte, size)
		_, err = io.ReadFull(r, bulk)
		return string(bulk), err
	default:
		return "", fmt.Errorf("an answer that is not read here: %q", line)
	}
}
