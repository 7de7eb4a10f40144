// Package providers holds the built-in presets: one WebhookProvider manifest a
// file. They have the form of what people write themselves, with examples that
// are run before a preset serves.
package providers

import "embed"

// Files are the manifests, named <name of the preset>.yaml.
//
//go:embed *.yaml
var Files embed.FS
