// Package admission decides which connections come in, counts those that are inside,
// and sends them away when the node stops.
//
// A connection that stays (a socket, or a response of events) first gets a
// Reservation from Admission.Reserve, which fails when the node is full, drains,
// or gets too many handshakes. Once its handshake is done, Enter turns the
// reservation into a place, unless too many connections have its address; Leave
// gives the place back. ConnectionLimit bounds the other public connections by the
// files that the process may open. Drain sends all away, spread over a time, and
// waits for them.
//
// ClientAddress says who a client is behind proxies; UserLimits limit the rate of
// users over HTTP, where no socket has state.
//
// Admission starts no goroutines; Drain arms a timer for each connection. One lock
// guards all counts. A Conn is in exactly one place from Enter to Leave.
package admission
