package main

import "testing"

// TestWay: of the clients of each view one begins at each node, and each of them
// comes to all.
func TestWay(t *testing.T) {
	for nodes := 1; nodes <= 5; nodes++ {
		for views := 1; views <= 7; views++ {
			o := &options{Profile: Profile{Views: views}, nodes: make([]node, nodes)}
			for view := range views {
				first := map[int]bool{}
				for i := view; i < views*nodes; i += views {
					at, step := o.firstNode(i)
					at = o.nextNode(at, step)
					first[at] = true
					been := map[int]bool{}
					for range nodes {
						been[at] = true
						at = o.nextNode(at, step)
					}
					if len(been) != nodes {
						t.Errorf("%d nodes, %d views: client %d comes to %v", nodes, views, i, been)
					}
				}
				if len(first) != nodes {
					t.Errorf("%d nodes, %d views: those of view %d begin at %v", nodes, views, view, first)
				}
			}
		}
	}
}
