package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// push publishes the images of a release, with the credentials that docker login keeps.
func push(ctx context.Context, from string) error {
	list, err := os.ReadFile(filepath.Join(from, imageList))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		tag, hash, _ := strings.Cut(strings.TrimSpace(line), "@")
		if err := pushImage(ctx, from, tag, hash); err != nil {
			return fmt.Errorf("%s: %w", tag, err)
		}
		fmt.Fprintf(os.Stderr, "release: pushed %s@%s\n", tag, hash)
	}
	return nil
}

// pushImage never changes a version that was published: install.yaml names it by its digest.
func pushImage(ctx context.Context, from, tag, hash string) error {
	ref, err := name.NewTag(tag, name.StrictValidation)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	there, err := remote.Head(ref, options...)
	switch {
	case err == nil && there.Digest.String() == hash:
		return nil
	case err == nil:
		return fmt.Errorf("it was published as %s, and a version never changes: choose another", there.Digest)
	case !isMissing(err):
		return err
	}
	index, err := readLayout(layoutPath(from, ref.Context().Name()), hash)
	if err != nil {
		return err
	}
	return remote.WriteIndex(ref, index, options...)
}

func isMissing(err error) bool {
	answer, ok := errors.AsType[*transport.Error](err)
	return ok && answer.StatusCode == http.StatusNotFound
}

// readLayout returns the image that a layout holds under a digest.
func readLayout(path, hash string) (v1.ImageIndex, error) {
	want, err := v1.NewHash(hash)
	if err != nil {
		return nil, err
	}
	index, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return nil, err
	}
	return index.ImageIndex(want)
}
