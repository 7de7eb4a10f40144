package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is nobody in particular, and a number, so that runAsNonRoot can be checked
// without an /etc/passwd.
const user = "65532:65532"

// imageList names the images of the release, one a line, by tag and digest.
const imageList = "images.txt"

// writeImages writes an OCI layout for each server: a folder that tools push and load.
func (r *release) writeImages(_ context.Context, work string) error {
	authorities, err := roots()
	if err != nil {
		return err
	}
	base, err := r.layer([]entry{{rootsFile, 0o644, authorities}})
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, program := range servers {
		index, err := r.index(work, program, base)
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		hash, err := r.writeLayout(program, index)
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		r.made = append(r.made, subject{name: r.imageName(program), sha256: hash.Hex})
		fmt.Fprintf(&list, "%s:%s@%s\n", r.imageName(program), r.version, hash)
	}
	return r.write(imageList, list.Bytes())
}

func (r *release) imageName(program string) string { return r.image + "-" + program }

// layoutPath is the folder of an image's layout.
func layoutPath(out, image string) string { return filepath.Join(out, "images", path.Base(image)) }

// index makes one image of many: each platform takes its own.
func (r *release) index(work, program string, base v1.Layer) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range r.images {
		content, err := os.ReadFile(filepath.Join(work, p.file(), program))
		if err != nil {
			return nil, err
		}
		image, err := r.platformImage(program, p, content, base)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.os, Architecture: p.arch}},
		})
	}
	return mutate.Annotations(index, r.labels(program)).(v1.ImageIndex), nil
}

// platformImage holds the certificates, the program, and nothing else.
func (r *release) platformImage(program string, p platform, content []byte, base v1.Layer) (v1.Image, error) {
	layer, err := r.layer([]entry{{program, 0o755, content}})
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: r.date}
	image, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), &v1.ConfigFile{
		OS: p.os, Architecture: p.arch, Created: created, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User: user, Entrypoint: []string{"/" + program}, WorkingDir: "/", Labels: r.labels(program),
			Env: []string{"PATH=/"},
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image,
		mutate.Addendum{Layer: base, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "hack/release", Comment: rootsModule}},
		mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "hack/release", Comment: "cmd/" + program}})
}

func (r *release) layer(entries []entry) (v1.Layer, error) {
	archive, err := tarred(entries, r.date)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithCompressedCaching)
}

// labels are those that the image specification defines.
func (r *release) labels(program string) map[string]string {
	about := map[string]string{"manager": "turns WebhookEndpoints into the routes that receivers serve", "receiver": "takes webhooks in, and delivers them to Services"}
	return map[string]string{
		"org.opencontainers.image.title":       "sallyport-" + program,
		"org.opencontainers.image.description": about[program],
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.date.Format(time.RFC3339),
		"org.opencontainers.image.source":      r.source,
		"org.opencontainers.image.licenses":    "Apache-2.0",
	}
}

// writeLayout writes an image, and by which name containerd is to import it.
func (r *release) writeLayout(program string, index v1.ImageIndex) (v1.Hash, error) {
	layoutIndex, err := layout.Write(layoutPath(r.out, r.imageName(program)), empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	err = layoutIndex.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": r.version,
		"io.containerd.image.name":          r.imageName(program) + ":" + r.version,
	}))
	if err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}
