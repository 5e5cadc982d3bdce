// Package presence decides who is on air.
//
// Everything that can change the list is a [Command]. A [Node] gathers the
// commands and heartbeats of its sockets into batches and appends them to a
// [Log], which orders the batches of all nodes and stamps each with the one
// clock they share. Every node applies the same entries in the same order to
// its [Registry], a deterministic state machine without I/O, and hands on the
// changes that come out. Nothing flows backwards.
//
// Start with [JoinLog], then [Node.Run]; ask with [Node.Do], beat with
// [Node.Beat], look with [Node.Read].
//
// No deadline here is a wall-clock time. The presence clock is the sum of the
// steps between consecutive entries; a step backwards or of more than two node
// ticks counts for nothing, so that a server that was away, or a clock that was
// set, ends nobody's broadcast. A lease is judged only once every living node,
// any of which may have heard its anchor, has spoken.
//
// Ownership: a Node's registry is changed by the one goroutine in Node.apply,
// under Node.mu; Node.append is the only one that appends. Locks are taken in
// the order Node.mu, outbox.mu, tally.mu, and none is held across an append.
//
// What must always hold:
//   - Replaying a log gives the same registry, byte for byte of its encoding.
//   - No session ends within missed × interval of a beat that was acknowledged
//     by a node that still lives, unless its last miss was due by then; and none,
//     while every node speaks at each tick, stays listed for more than two ticks
//     past missed × interval + grace of presence time, but that the count
//     starts anew once for each loss of the node that heard it last and for
//     each new replication id.
//   - Whoever names a session that is not the live one changes nothing.
//   - A beat moves a deadline and nothing else: O(1), no allocation, no disk.
package presence
