// Fanbench measures what the hub's fan-out costs, and compares it with bars:
// make bench-fanout prints the table of docs/performance.md.
//
// # Method
//
// The program starts itself in four roles: a server with a hub, a server that
// writes through the WebSocket library alone, and a client for each. The first
// process (control) only sends commands and waits.
//
//	control ──▶ server (hub)     ──▶ client
//	    └─────▶ server (library) ──▶ client
//
// A server's CPU time is that of its process (getrusage), without the client's.
// A client is one thread with epoll. It records when each viewer's frame arrived,
// and compares its bytes with those of the others. A round sends a few diffs,
// each when the one before has arrived. So nothing is merged, and a lost frame
// shows. Measurements that are compared alternate within one run; each round has
// its own ratio.
//
// The hub's limit is a loop of raw non-blocking sends of the same bytes on the
// same sockets. The loop finds them among the process's descriptors. It runs
// twice in each round. The ratio of both runs shows the machine's noise.
//
// # Scenarios
//
//	cost    CPU per delivered frame and allocations; servers pinned to one
//	        core, clients to another
//	memory  handshakes and resident memory; a new, pinned server in each round
//	wide    latency, and the effect of slow viewers on the others; not pinned
//
// The program runs on Linux only. Only ratios apply to other machines: on
// loopback, the kernel's send includes the receiver's half of TCP.
package main
