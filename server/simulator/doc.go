// Package simulator runs whole nodes, as they are, over a model of Redis, with clients
// that keep to the protocol, in a bubble: two minutes in which things go wrong, and an
// end at which all must be well. A seed decides all of it.
//
// It has tests only. world_test.go has hosts, nodes and connections; faults_test.go
// what goes wrong; anchor_test.go, caller_test.go and viewer_test.go the clients;
// oracle_test.go the promises that all are held to; trace_test.go what happened.
//
//	go test ./server/simulator -run 'TestSimulation$' -sim.class a -sim.seed 1 -sim.seeds 1
package simulator
