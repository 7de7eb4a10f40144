package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestShellsCompleteFromTheCluster(t *testing.T) {
	for typed, want := range map[string][]string{
		"stats ":                     {"stripe\tstripe"},
		"stats x":                    {},
		"stats stripe ":              {},
		"stats billing/s":            {"billing/stripe\tstripe"},
		"replay ":                    {"stripe\tstripe"},
		"replay stripe ":             {"evt_old\tstripe invoice.paid"},
		"purge stripe evt_old ":      {},
		"show ":                      {"evt_new\tstripe invoice.paid", "evt_mid\tstripe invoice.paid", "evt_old\tstripe invoice.paid"},
		"show evt_old ":              {},
		"show evt_old --endpoint ":   {"stripe\tstripe"},
		"events stripe --type inv":   {"invoice.paid"},
		"events --type x":            {},
		"send stripe --type inv":     {"invoice.paid"},
		"send --scheme ":             {},
		"tail --color ":              colorModes,
		"events --state ":            stateNames,
		"events stripe --context ":   {"stub"},
		"dead nowhere/ ":             {},
		"pause stripe --timeout 1s ": {},
	} {
		args := strings.Split(typed, " ")
		stdout, _, err := stubbed(t, someStub(), append([]string{cobra.ShellCompRequestCmd}, args...)...)
		got := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if got = got[:len(got)-1]; err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") { // the last line is for the shell
			t.Errorf("%q is completed by %q (%v), want %q", typed, got, err, want)
		}
	}
}
