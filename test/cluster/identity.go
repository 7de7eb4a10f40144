package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// identify makes a kubeconfig file with a client certificate of a ServiceAccount
// of Namespace, so that a program may do what config/rbac grants, and no more.
func (c *Cluster) identify(serviceAccount string) (kubeconfig string, err error) {
	c.identifying.Lock() // its count of certificates is not for two at a time
	user, err := c.env.AddUser(envtest.User{
		Name: "system:serviceaccount:" + Namespace + ":" + serviceAccount,
		// The groups that an API server gives to every ServiceAccount.
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + Namespace, "system:authenticated"},
	}, nil)
	c.identifying.Unlock()
	if err != nil {
		return "", fmt.Errorf("make an identity for %s: %w", serviceAccount, err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("make a kubeconfig for %s: %w", serviceAccount, err)
	}
	return c.writeKubeconfig(serviceAccount+".kubeconfig", content)
}

// writeKubeconfig replaces the file as a whole: a program that is just starting
// may be reading what was there before.
func (c *Cluster) writeKubeconfig(name string, content []byte) (path string, err error) {
	path = filepath.Join(c.Dir, name)
	file, err := os.CreateTemp(c.Dir, name+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(file.Name(), path)
}
