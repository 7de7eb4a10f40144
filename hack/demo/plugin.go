package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pluginCommand is a call of kubectl hooks, for people to copy.
func (d *demo) pluginCommand(args ...string) string {
	return strings.Join(append([]string{filepath.Join(d.bin, "kubectl-hooks"), "--kubeconfig", d.cluster.Kubeconfig}, args...), " ")
}

// showEvents prints what kubectl hooks knows of the events, as soon as it knows of all
// of them: records are written in the background.
func (d *demo) showEvents(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	d.out.heading("5. What has come, by kubectl hooks")
	if err := d.cluster.AwaitEventsAPI(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		command := exec.CommandContext(ctx, filepath.Join(d.bin, "kubectl-hooks"), "--kubeconfig", d.cluster.Kubeconfig, "events", "-n", "shop", "github")
		output, err := command.CombinedOutput()
		if err == nil && strings.Contains(string(output), pushID) {
			for line := range strings.Lines(string(output)) {
				d.out.line("  %s", strings.TrimRight(line, "\n"))
			}
			d.out.line("")
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("kubectl hooks events knows nothing of the event %s: %w: %s", pushID, ctx.Err(), output)
		}
	}
}
