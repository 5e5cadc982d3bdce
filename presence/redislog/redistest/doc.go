// Package redistest starts real Redis servers on loopback for tests: a single one, with
// replicas, under Sentinel, or a Cluster. It also causes faults of servers and networks.
//
// [Start], [StartReplica], [StartSentinel] and [StartCluster] start processes of the
// first redis-server in PATH, each in its own directory of the test. Each ends by its
// process id when the test ends, fails or panics. A server can be paused, killed,
// restarted, and detached from its replicas. [NewProxy] forwards connections of clients
// to a server. It can delay, throttle, cut or half-open them.
//
// Errors fail the test, so its goroutine must make the calls. Any goroutine may call
// Pause and Resume of [Server], and all methods of [Proxy] but Restore. A failed test
// logs the end of each server's output.
//
// Everything listens on 127.0.0.1, on ports that systems do not give to clients. So no
// client takes the port of a server that is down.
package redistest
