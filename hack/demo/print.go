package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// The colours of terminals (ECMA-48, "select graphic rendition").
const (
	bold  = "1"
	green = "32"
	red   = "31"
	dim   = "2"
)

// printer writes what the demo has to say. It belongs to one goroutine.
type printer struct {
	w      io.Writer
	colour bool
	began  time.Time

	name   string // of the step that is going on; empty: none
	broken bool   // its progress was printed below its name
	since  time.Time
}

func newPrinter(file *os.File) *printer {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	_, plain := os.LookupEnv("NO_COLOR") // no-color.org
	return &printer{w: file, colour: terminal && !plain, began: time.Now()}
}

func (p *printer) elapsed() string { return seconds(time.Since(p.began)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func (p *printer) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p *printer) line(format string, args ...any) { p.print(format+"\n", args...) }

// print ignores errors: who closes the output does not want to read it.
func (p *printer) print(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format, args...) }

func (p *printer) heading(text string) { p.line("%s", p.paint(bold, text)) }

// detail prints a named fact below a heading.
func (p *printer) detail(name, format string, args ...any) {
	p.line("  %s %s", p.paint(dim, fmt.Sprintf("%-8s", name)), fmt.Sprintf(format, args...))
}

// step announces something that takes time; done ends it.
func (p *printer) step(name string) {
	p.name, p.since, p.broken = name, time.Now(), false
	p.print("%-14s ", name)
}

func (p *printer) done(format string, args ...any) {
	if p.broken {
		p.print("%-14s ", p.name)
	}
	p.name = ""
	took := p.paint(dim, "("+seconds(time.Since(p.since))+")")
	p.line("%s %s %s", p.paint(green, "ok"), fmt.Sprintf(format, args...), took)
}

// heartbeat is how long a step may be silent.
const heartbeat = 10 * time.Second

// during runs the work of a step and says that it is still going on.
func (p *printer) during(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			_, _ = fmt.Fprintf(p, "%s: %s so far, the first time takes some minutes\n", p.name, seconds(time.Since(p.since)))
		}
	}
}

// Write implements io.Writer for the progress of the step that is going on.
func (p *printer) Write(progress []byte) (int, error) {
	if p.name != "" && !p.broken {
		p.broken = true
		p.line("")
	}
	return p.w.Write(progress)
}

func (p *printer) failure(err error) {
	if p.name != "" && !p.broken {
		p.line("")
	}
	p.line("\n%s %s", p.paint(red, "FAILED:"), strings.TrimSpace(err.Error()))
}
