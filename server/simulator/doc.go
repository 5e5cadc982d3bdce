// Package simulator runs whole nodes, as they are, over a model of Redis, with clients
// that keep to the protocol, in a bubble: two minutes in which things go wrong, and an
// end at which all must be well. A seed decides all of it.
//
// It has tests only. world_test.go has hosts, nodes and connections; faults_test.go
// what goes wrong; anchor_test.go, caller_test.go and viewer_test.go the clients;
// oracle_test.go the promises that all are held to; trace_test.go what happened.
//
// The tests are not built with -race. The race detector's runtime fails by itself in
// bubbles with very many goroutine switches (go.dev/issue/78156): it crashed in this
// package, with SIGSEGV or a failed check of its epochs. Data races between the parts of
// a node are found by the tests of server/node, which run whole nodes in bubbles, and by
// those of server, whose processes are built with -race.
//
//	go test ./server/simulator -run 'TestSimulation$' -sim.class a -sim.seed 1 -sim.seeds 1
package simulator
