package cli

import (
	"fmt"
	"log/slog"

	"k8s.io/klog/v2"
)

// LogLevel defines the flag --log-level and returns where its value will be.
func (f *Flags) LogLevel() *slog.LevelVar {
	level := new(slog.LevelVar)
	f.Func("log-level", "debug, info, warn or error (default info)", func(text string) error {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%q is no level: write debug, info, warn or error", text)
		}
		return nil
	})
	return level
}

// Logger returns a logger of JSON lines on stderr, and has client-go log
// through it, too.
func (e Env) Logger(level slog.Leveler) *slog.Logger {
	log := slog.New(slog.NewJSONHandler(e.Stderr, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(log)
	return log
}
