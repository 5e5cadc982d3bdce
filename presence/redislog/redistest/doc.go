// Package redistest gives tests a real Redis on loopback, alone, with replicas,
// under Sentinel or as a Cluster, and the faults it must be survived with.
//
// [Start], [StartReplica], [StartSentinel] and [StartCluster] start processes
// of redis-server, each in a directory of the test's own, and end each by its
// own process id when the test ends, fails or panics. A server can be paused,
// killed, restarted, and kept from telling its replicas what it acknowledges.
// [NewProxy] stands between a client and a server, and delays, throttles, cuts
// or half-opens the network between them.
//
// Whatever goes wrong here fails the test: call from its goroutine alone, except
// for Pause and Resume of [Server] and all of [Proxy] but Restore, which may be
// called from any. A failed test gets the end of what each server logged.
//
// Everything listens on 127.0.0.1, below the ports that systems give to
// clients, so that nobody takes a port while its server is down.
package redistest
