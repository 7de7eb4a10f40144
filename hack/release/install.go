package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// kustomization is what differs between config/default and a release.
type kustomization struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Resources  []string         `json:"resources"`
	Images     []kustomizeImage `json:"images,omitempty"`
	Labels     []kustomizeLabel `json:"labels,omitempty"`
}

type kustomizeImage struct {
	Name    string `json:"name"`
	NewName string `json:"newName"`
	Digest  string `json:"digest"`
}

type kustomizeLabel struct {
	Pairs map[string]string `json:"pairs"`
}

// writeManifests writes install.yaml, which holds everything, and crds.yaml, for those
// who install the CRDs apart.
func (r *release) writeManifests(ctx context.Context, work string) error {
	for _, m := range []struct{ name, base string }{{"install.yaml", "config/default"}, {"crds.yaml", "config/crd"}} {
		manifest, err := r.render(ctx, work, m.base)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		head := fmt.Sprintf("# Sallyport %s (%s), for Kubernetes 1.35 or newer:\n#   kubectl apply --server-side -f %s\n", r.version, r.revision, m.name)
		if err := r.write(m.name, append([]byte(head), manifest...)); err != nil {
			return err
		}
	}
	return nil
}

// render has kubectl put a kustomization together, with the images of this release.
func (r *release) render(ctx context.Context, work, base string) ([]byte, error) {
	dir, err := os.MkdirTemp(work, "kustomize-")
	if err != nil {
		return nil, err
	}
	resource, err := relative(dir, filepath.Join(r.root, base))
	if err != nil {
		return nil, err
	}
	k := kustomization{
		APIVersion: "kustomize.config.k8s.io/v1beta1", Kind: "Kustomization",
		Resources: []string{resource},
		Labels:    []kustomizeLabel{{map[string]string{"app.kubernetes.io/version": r.version}}},
	}
	for _, program := range servers {
		k.Images = append(k.Images, kustomizeImage{"sallyport-" + program, r.imageName(program), "sha256:" + r.digestOf(r.imageName(program))})
	}
	text, err := yaml.Marshal(k)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), text, 0o644); err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, r.kubectl, "kustomize", dir)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s kustomize: %w\n%s", r.kubectl, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// relative is the way from one folder to another: kustomize takes no other, and follows
// symbolic links before it goes up.
func relative(from, to string) (string, error) {
	from, errFrom := filepath.EvalSymlinks(from)
	to, errTo := filepath.EvalSymlinks(to)
	if err := errors.Join(errFrom, errTo); err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}

// digestOf is the digest of something that was made.
func (r *release) digestOf(name string) string {
	for _, s := range r.made {
		if s.name == name {
			return s.sha256
		}
	}
	return ""
}
