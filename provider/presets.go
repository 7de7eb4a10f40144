package provider

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/config/providers"
)

// Presets returns the WebhookProviders that come with this build, in the order of
// their names. An error is a mistake of the build.
func Presets() ([]*v1alpha1.WebhookProvider, error) { return presets(providers.Files) }

func presets(files fs.FS) ([]*v1alpha1.WebhookProvider, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	for i := range names {
		names[i] = strings.TrimSuffix(names[i], ".yaml")
	}
	slices.Sort(names) // files are in another order: "a-b.yaml" is before "a.yaml"
	all, problems := make([]*v1alpha1.WebhookProvider, len(names)), make([]error, len(names))
	for i, name := range names {
		all[i], problems[i] = preset(files, name)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return all, nil
}

// Preset returns the preset of a name. The error is fs.ErrNotExist if there is none.
func Preset(name string) (*v1alpha1.WebhookProvider, error) { return preset(providers.Files, name) }

// preset decodes strictly: a misspelt field would silently weaken the preset.
func preset(files fs.FS, name string) (*v1alpha1.WebhookProvider, error) {
	text, err := fs.ReadFile(files, name+".yaml")
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	object := &v1alpha1.WebhookProvider{}
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	if object.Name != name {
		return nil, fmt.Errorf("preset %s: metadata.name is %q: it must be the name of the file", name, object.Name)
	}
	return object, nil
}
