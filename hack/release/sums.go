package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// writeSums lists all files as sha256sum --check reads them. Images are in images.txt.
func (r *release) writeSums(context.Context, string) error {
	var files []subject
	for _, made := range r.made {
		if made.file {
			files = append(files, made)
		}
	}
	slices.SortFunc(files, func(a, b subject) int { return strings.Compare(a.name, b.name) })
	var text bytes.Buffer
	for _, file := range files {
		fmt.Fprintf(&text, "%s  %s\n", file.sha256, file.name)
	}
	return r.write(marker, text.Bytes())
}
