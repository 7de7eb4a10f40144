package redistest

import (
	"fmt"
	"net"
	"strconv"
)

// slots is the number of hash slots of every Redis Cluster.
const slots = 16384

// StartCluster runs a Redis Cluster of n masters without replicas, each with its
// share of the slots, and waits until it serves all of them.
func StartCluster(tb TB, n int, args ...string) []*Server {
	tb.Helper()
	var nodes []*Server
	for i := range n {
		s := startNode(tb, args)
		s.Do("CLUSTER SET-CONFIG-EPOCH " + strconv.Itoa(i+1))
		s.Do(fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", slots*i/n, slots*(i+1)/n-1))
		nodes = append(nodes, s)
		nodes[0].meet(s)
	}
	for _, s := range nodes {
		AwaitClusterNode(tb, s, n)
	}
	return nodes
}

func startNode(tb TB, args []string) *Server {
	tb.Helper()
	return Start(tb, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "2000"}, args...)...)
}

func (s *Server) meet(other *Server) {
	s.tb.Helper()
	host, port, _ := net.SplitHostPort(other.Addr)
	s.Do("CLUSTER MEET " + host + " " + port)
}

// StartClusterReplica runs a replica of a node of a cluster and waits until it
// has all that the node has.
func StartClusterReplica(tb TB, node *Server, args ...string) *Server {
	tb.Helper()
	s := startNode(tb, args)
	node.meet(s)
	Await(tb, agreeTimeout, s.Addr+" knows the node that it is to replicate", func() error {
		_, err := do(s.Addr, "CLUSTER REPLICATE "+node.NodeID())
		return err
	})
	AwaitReplica(tb, s, node)
	return s
}

// AwaitClusterNode waits until s knows n nodes and takes the cluster for whole.
func AwaitClusterNode(tb TB, s *Server, n int) {
	tb.Helper()
	Await(tb, agreeTimeout, s.Addr+" serves its share of the cluster", func() error {
		info := s.Do("CLUSTER INFO")
		if infoField(info, "cluster_state") != "ok" || infoField(info, "cluster_known_nodes") != strconv.Itoa(n) ||
			infoField(info, "cluster_slots_ok") != strconv.Itoa(slots) {
			return fmt.Errorf("it says\n%s", info)
		}
		return nil
	})
}

// NodeID is the name of s in its cluster.
func (s *Server) NodeID() string { return s.Do("CLUSTER MYID") }
