package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine says on what the numbers were measured.
func machine() string {
	return fmt.Sprintf("%s, %d CPUs%s, %s/%s", runtime.Version(), runtime.NumCPU(), cpuModel(), runtime.GOOS, runtime.GOARCH)
}

// cpuModel is empty where Linux does not say it.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "" // not Linux
	}
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return " (" + strings.TrimSpace(model) + ")"
		}
	}
	return ""
}
