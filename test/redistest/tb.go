package redistest

import "context"

// TB is as much of a [testing.TB] as this package needs, so that programs that are
// no tests can start servers, too. The compiler sees to it that they have all of it.
type TB interface {
	// Cleanup registers what is called when the test or program is done.
	Cleanup(func())
	// Context ends no later than the test or program.
	Context() context.Context
	// Fatal and Fatalf don't return.
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Helper()
	// TempDir makes a directory that is gone with the test or program.
	TempDir() string
}
