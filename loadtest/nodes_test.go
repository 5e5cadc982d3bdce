package main

import (
	"testing"

	"onair/loadtest/profile"
)

// TestRoutesReachAllNodes: the clients of each view begin at all nodes, and each of them
// reaches all.
func TestRoutesReachAllNodes(t *testing.T) {
	for nodes := 1; nodes <= 5; nodes++ {
		for views := 1; views <= 7; views++ {
			o := &options{Profile: profile.Profile{Views: views}, nodes: make([]node, nodes)}
			for view := range views {
				first := map[int]bool{}
				for i := view; i < views*nodes; i += views {
					r := o.clientRoute(i)
					r.node = o.nextNode(r)
					first[r.node] = true
					visited := map[int]bool{}
					for range nodes {
						visited[r.node] = true
						r.node = o.nextNode(r)
					}
					if len(visited) != nodes {
						t.Errorf("%d nodes, %d views: client %d reaches %v", nodes, views, i, visited)
					}
				}
				if len(first) != nodes {
					t.Errorf("%d nodes, %d views: the clients of view %d begin at %v", nodes, views, view, first)
				}
			}
		}
	}
}
