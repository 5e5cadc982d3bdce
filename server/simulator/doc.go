// Package simulator runs whole nodes over a model of Redis, with clients that follow the
// protocol, in a bubble. A run injects faults for 93 s. After 130 s all nodes and lists must
// be correct. The seed determines the faults and the behaviour of the clients.
//
// It has tests only:
//
//   - simulation_test.go: runs of seeds, and the checks at the end of a run
//   - world_test.go: hosts, nodes and connections
//   - faults_test.go: kinds of faults
//   - anchor_test.go, http_anchor_test.go, viewer_test.go: clients
//   - client_socket_test.go: sockets and HTTP calls of clients
//   - oracle_test.go: the guarantees that are checked at every entry
//   - trace_test.go: the trace of a run
//
// The tests are not built with -race. The race detector's runtime fails by itself in
// bubbles with very many goroutine switches (go.dev/issue/78156): it crashed in this
// package, with SIGSEGV or a failed check of its epochs. Data races between the parts of
// a node are found by the tests of server/node, which run whole nodes in bubbles, and by
// those of server, whose processes are built with -race.
//
//	go test ./server/simulator -run 'TestSimulation$' -sim.class a -sim.seed 1 -sim.seeds 1
package simulator
