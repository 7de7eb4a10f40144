package cli

import (
	"fmt"
	"log/slog"

	"k8s.io/klog/v2"
)

// LogLevel defines the flag --log-level. The level that it returns is set once the
// flags are read.
func (f *Flags) LogLevel() *slog.LevelVar {
	level := new(slog.LevelVar)
	f.Func("log-level", "`level`: debug, info, warn or error (default info)", func(text string) error {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%q is no level: write debug, info, warn or error", text)
		}
		return nil
	})
	return level
}

// Logger returns a logger of JSON lines on stderr. client-go logs through it, too.
func (e Env) Logger(level slog.Leveler) *slog.Logger {
	log := slog.New(slog.NewJSONHandler(e.Stderr, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(log)
	return log
}
