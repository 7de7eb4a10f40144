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

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

func (p *printer) heading(text string) { p.line("%s", p.paint(bold, text)) }

// detail prints a named fact below a heading.
func (p *printer) detail(name, format string, args ...any) {
	p.line("  %s %s", p.paint(dim, fmt.Sprintf("%-8s", name)), fmt.Sprintf(format, args...))
}

// step announces something that takes time; done ends it.
func (p *printer) step(name string) {
	p.name, p.since, p.broken = name, time.Now(), false
	fmt.Fprintf(p.w, "%-14s ", name)
}

func (p *printer) done(format string, args ...any) {
	if p.broken {
		fmt.Fprintf(p.w, "%-14s ", p.name)
	}
	p.name = ""
	took := p.paint(dim, "("+seconds(time.Since(p.since))+")")
	p.line("%s %s %s", p.paint(green, "ok"), fmt.Sprintf(format, args...), took)
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
