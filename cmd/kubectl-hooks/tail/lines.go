package tail

import (
	"fmt"
	"io"
	"strings"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
	"sallyport.dev/sallyport/receiver/audit"
)

// lineTime is how the lines of tail begin: in local time, like kubectl's logs.
const lineTime = "15:04:05.000"

// maxColumn bounds how far a long text pushes what comes after it, in all lines
// that follow.
const maxColumn = 48

// The escape sequences of colours (ECMA-48, SGR).
const (
	colorNone   = ""
	colorRed    = "\x1b[31m"
	colorGreen  = "\x1b[32m"
	colorYellow = "\x1b[33m"
	colorDim    = "\x1b[2m"
	colorEnd    = "\x1b[0m"
)

// statusColor is the colour of an outcome: green is good, yellow takes longer,
// red needs a look.
func statusColor(status string) string {
	switch audit.Status(status) {
	case audit.Delivered:
		return colorGreen
	case audit.RetryScheduled, audit.Unavailable, audit.Replayed:
		return colorYellow
	case audit.Rejected, audit.DeadLettered, audit.Purged, audit.Expired:
		return colorRed
	case audit.Duplicate, audit.Ignored, audit.Handshake:
		return colorDim
	}
	return colorNone
}

// Lines prints records, one line each. Columns grow with what was in them, so that
// what follows is aligned without knowing what will come.
type Lines struct {
	W io.Writer
	// Color is for terminals.
	Color bool
	// Namespaces says that lines name the namespace and the endpoint, Endpoints that
	// they name the endpoint.
	Namespaces, Endpoints bool

	widths []int
}

// Print prints a record.
func (l *Lines) Print(r *eventsv1alpha1.WebhookRecord) error {
	cells := []string{r.Time.Local().Format(lineTime)}
	switch {
	case l.Namespaces:
		cells = append(cells, r.Namespace+"/"+r.Endpoint)
	case l.Endpoints:
		cells = append(cells, r.Endpoint)
	}
	status := len(cells)
	attempt, code, duration := human.None, human.None, human.None
	if r.Attempt > 0 {
		attempt = fmt.Sprint("#", r.Attempt)
	}
	if r.StatusCode > 0 {
		code = fmt.Sprint(r.StatusCode)
	}
	if r.DurationMS > 0 || r.StatusCode > 0 {
		duration = human.Took(r.DurationMS)
	}
	cells = append(cells, r.ProcessingStatus, human.OrNone(r.EventType), human.OrNone(r.EventID), attempt, code, duration, r.ErrorMessage)
	_, err := fmt.Fprintln(l.W, l.align(cells, status, statusColor(r.ProcessingStatus)))
	return err
}

// align makes a line of cells; the outcome, at colored, gets a colour.
func (l *Lines) align(cells []string, colored int, color string) string {
	if l.widths == nil {
		l.widths = make([]int, len(cells))
		l.widths[colored] = len(audit.RetryScheduled) // the longest outcome
	}
	var line strings.Builder
	for i, cell := range cells {
		cell = human.OneLine(cell)
		width := human.Width(cell)
		l.widths[i] = max(l.widths[i], min(width, maxColumn))
		if l.Color && i == colored && color != colorNone {
			cell = color + cell + colorEnd
		}
		line.WriteString(cell)
		if i < len(cells)-1 {
			line.WriteString(strings.Repeat(" ", max(0, l.widths[i]-width)+2))
		}
	}
	return strings.TrimRight(line.String(), " ")
}
