package main

import (
	"strconv"
	"strings"
	"time"

	"sallyport.dev/sallyport/cmd/internal/cli"
)

// parseAge reads how long ago something was: 90s, 2h30m, 3d.
func parseAge(flag, text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, cli.Usagef("%s=%s is no duration: write for example 90s, 2h or 3d", flag, text)
	}
	return d, nil
}

// parseMoment reads a time: how long ago it was, or RFC 3339.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	ago, err := parseAge(flag, text)
	if err != nil {
		return time.Time{}, cli.Usagef("%s=%s is no time: write how long ago it was, for example 2h or 3d, or as 2006-01-02T15:04:05Z", flag, text)
	}
	return now.Add(-ago), nil
}
