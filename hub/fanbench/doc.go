// Fanbench measures what the hub's fan-out costs, and says whether that is
// within its bars: make bench-fanout prints the table of docs/performance.md.
//
// # How it measures
//
// This program runs itself again: as a server with a hub, as a server that
// writes through the WebSocket library alone, and as the client of each. The
// first process (control) only asks and waits.
//
//	control ──▶ server (hub)     ──▶ client
//	    └─────▶ server (library) ──▶ client
//
// A server's CPU time is its process's (getrusage), so a client never counts.
// A client is one thread with epoll: it stamps when each viewer's frame was
// there, and compares its bytes with those of the others. A round sends a few
// diffs; the next is made when all have arrived, so nothing is merged and
// whatever is not delivered is seen. What is compared is measured in turns
// within one run, round by round; the ratio is taken in each round.
//
// The limit that the hub is held against is a loop of raw non-blocking sends of
// the bytes that the hub sent last, on the very sockets of the hub: they are
// found among the process's descriptors, so it does not matter who holds them.
// The loop runs twice in each round, and the ratio of the two runs is shown: it
// is what the machine's noise does to a ratio.
//
// # Scenes
//
//	cost    CPU per delivered frame and allocations: servers pinned to one
//	        core, clients to another
//	memory  a new server in each round, pinned: handshakes, and resident memory
//	wide    not pinned: latency, and what viewers that stop or dawdle do to others
//
// It runs on Linux only. Only ratios travel from one machine to another: here
// the kernel's send includes the receiver's half of TCP.
package main
