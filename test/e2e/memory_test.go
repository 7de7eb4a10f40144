//go:build e2e

package e2e

import "encoding/json"

// podMemory is of the kubelet's Summary API.
type podMemory struct {
	Ref struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"podRef"`
	Memory struct {
		WorkingSetBytes uint64 `json:"workingSetBytes"`
	} `json:"memory"`
}

// memory returns what the kubelet of a node says about its pods; nothing if it
// may not be asked, as with some providers of clusters.
func (c *cluster) memory(node string) []podMemory {
	content, err := c.kube.CoreV1().RESTClient().Get().Resource("nodes").Name(node).SubResource("proxy").Suffix("stats/summary").Do(c.ctx).Raw()
	if err != nil {
		return nil
	}
	var summary struct {
		Pods []podMemory `json:"pods"`
	}
	if json.Unmarshal(content, &summary) != nil {
		return nil
	}
	return summary.Pods
}
