//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	_ "embed"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// localVolume is a folder of a node, for Redis to keep its file in.
type localVolume struct {
	Name, Folder, Node, Image string
}

//go:embed manifests/volume.yaml.tmpl
var volumeManifest string

// defaultClass is the annotation of the StorageClass of claims that name none.
const defaultClass = "storageclass.kubernetes.io/is-default-class"

// provideVolume makes a volume for Redis where the cluster would make none.
func (c *cluster) provideVolume(t *testing.T) {
	t.Helper()
	classes, err := c.kube.StorageV1().StorageClasses().List(c.ctx, metav1.ListOptions{})
	must(t, err)
	for _, class := range classes.Items {
		if class.Annotations[defaultClass] == "true" {
			return
		}
	}
	nodes, err := c.kube.CoreV1().Nodes().List(c.ctx, metav1.ListOptions{})
	must(t, err)
	for _, node := range nodes.Items {
		if !node.Spec.Unschedulable && len(node.Spec.Taints) == 0 {
			c.local = &localVolume{
				Name: "sallyport-e2e", Folder: "/var/lib/sallyport-e2e", Node: node.Labels["kubernetes.io/hostname"], Image: image("agent", "sallyport-agent:e2e"),
			}
			c.emptyVolume(t)
			return
		}
	}
	t.Fatal("there is no default StorageClass, and no node to have a volume on")
}

// emptyVolume makes the folder, or what is left in it go, and offers it to Redis.
func (c *cluster) emptyVolume(t *testing.T) {
	t.Helper()
	path := filepath.Join(c.dir, "volume.yaml")
	var manifest strings.Builder
	must(t, template.Must(template.New("").Parse(volumeManifest)).Execute(&manifest, c.local))
	must(t, os.WriteFile(path, []byte(manifest.String()), 0o600))
	c.kubectl(t, "apply", "-f", path)
	c.kubectl(t, "-n", own, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/volume", "--timeout="+rolloutTimeout)
	c.kubectl(t, "-n", own, "delete", "pod/volume")
}

// removeVolume leaves an empty folder behind.
func (c *cluster) removeVolume(t *testing.T) {
	t.Helper()
	if c.local != nil {
		defer c.tidy(t, "delete", "persistentvolume", c.local.Name)
		c.emptyVolume(t)
	}
}

// is tells whether a name of kubectl is this volume's.
func (v *localVolume) is(name string) bool {
	return v != nil && name == "persistentvolume/"+v.Name
}
