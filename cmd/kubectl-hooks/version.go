package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/cmd/kubectl-hooks/human"
	"sallyport.dev/sallyport/internal/buildinfo"
)

const (
	// systemNamespace is where Sallyport is, unless somebody chose another namespace.
	systemNamespace = "sallyport-system"
	// versionTimeout bounds the question to the cluster: the version of the client
	// was the answer that most people wanted.
	versionTimeout = 10 * time.Second
)

// The labels of our Deployments: config/default sets the first, a release the second.
const (
	partOfLabel  = "app.kubernetes.io/part-of"
	versionLabel = "app.kubernetes.io/version"
)

func newVersionCommand(a *app) *cobra.Command {
	var clientOnly bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Say which builds run, here and in the cluster",
		Long: `Say which build of this program it is, and which managers and receivers the
cluster runs. Those come from the Deployments: from the label
app.kubernetes.io/version, or else from the tags of their images.`,
		Example:           "kubectl hooks version\nkubectl hooks version --client",
		Args:              arguments(0, 0, ""),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: runE(func(ctx context.Context, _ []string) error {
			a.printf("%s %s\n", programName, buildinfo.Get())
			if clientOnly {
				return nil
			}
			return a.printServerVersions(ctx)
		}),
	}
	c.Flags().BoolVar(&clientOnly, "client", false, "ask nothing of the cluster")
	return c
}

func (a *app) printServerVersions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	deployments, err := a.deployments(ctx)
	if err != nil {
		return fmt.Errorf("the cluster was not asked for its version (--client leaves that out): %w", explain(err))
	}
	if len(deployments) == 0 {
		a.sayf("There is no Sallyport in the cluster: no Deployment has the label %s=sallyport.", partOfLabel)
	}
	for i := range deployments {
		d := &deployments[i]
		server := serverVersion(d)
		a.printf("%s %s in the namespace %s\n", d.Name, human.OneLine(server), d.Namespace)
		if tooFarApart(buildinfo.Get().Version, server) {
			a.sayf("%s and %s are more than one minor version apart: take a %s of the cluster's version.", programName, d.Name, programName)
		}
	}
	return nil
}

// deployments are Sallyport's, in all namespaces, or in the usual one for people who
// may not list the others.
func (a *app) deployments(ctx context.Context) ([]appsv1.Deployment, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	var list appsv1.DeploymentList
	ours := client.MatchingLabels{partOfLabel: "sallyport"}
	err = c.List(ctx, &list, ours)
	if apierrors.IsForbidden(err) {
		err = c.List(ctx, &list, ours, client.InNamespace(systemNamespace))
	}
	return list.Items, err
}

// serverVersion is what a Deployment tells of the version that it runs. The label
// comes first, since images by digest have no tag.
func serverVersion(d *appsv1.Deployment) string {
	if label := d.Labels[versionLabel]; label != "" {
		return label
	}
	for i := range d.Spec.Template.Spec.Containers {
		image, _, _ := strings.Cut(d.Spec.Template.Spec.Containers[i].Image, "@")
		if _, tag, found := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":"); found {
			return tag
		}
	}
	return "(unknown)"
}

// tooFarApart reports whether two releases are further apart than is promised to
// work. Of what is no release it knows nothing.
func tooFarApart(a, b string) bool {
	one, errOne := utilversion.ParseSemantic(a)
	other, errOther := utilversion.ParseSemantic(b)
	if errOne != nil || errOther != nil {
		return false
	}
	return one.Major() != other.Major() || one.Minor() > other.Minor()+1 || other.Minor() > one.Minor()+1
}
