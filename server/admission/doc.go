// Package admission limits the connections of a node, counts them, and drains them when
// the node stops.
//
// A long-lived connection (a socket or an event stream) needs a Reservation first.
// Admission.Reserve fails while the node is full, drains, or gets too many handshakes.
// After the handshake, Admit uses the reservation, unless too many connections have the
// client's address. Remove frees the slot. ConnectionLimit bounds the other public
// connections by the files that the process may open. Drain closes all connections, spread
// over time, and waits for them.
//
// ClientAddress is the address of a client behind proxies.
//
// Admission starts no goroutines; Drain starts a timer for each connection. One lock
// guards all counts.
package admission
