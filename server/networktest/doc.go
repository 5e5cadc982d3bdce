// Package networktest connects hosts of a test by a network that loses and delays
// packets. A host is a network namespace with one address. Servers and clients on it
// have a kernel's TCP, so that dead lines, loss and narrow lines are real.
//
// [New] makes a network, [Network.NewHost] adds a host, and [Network.SetPath] sets the
// path from one host to another. [Host.Run] starts processes on a host. A host's only
// interface is a TUN device; the test process reads its packets and forwards them. It
// needs neither netem nor other programs.
//
// Namespaces and devices have no names outside the test process. The kernel removes
// them when their processes end, also after a panic.
//
// Namespaces need root on Linux. Another user's tests are skipped; for root, an error
// fails the test.
package networktest
