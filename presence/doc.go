// Package presence decides who is on air.
//
// Everything that can change the list is a [Command]. A [Log] orders batches of
// commands and heartbeats, and stamps each with one clock. Every node applies the
// same entries in the same order to its [Registry], and passes on the changes.
// Package node does so; this package is a deterministic state machine: it has no
// clock, goroutines, locks or I/O.
//
// No deadline is a wall-clock time. The presence clock is the sum of the steps
// between consecutive entries. A step backwards, or of more than two node ticks,
// counts for nothing, so a stopped server or a changed clock ends no session. A
// lease is judged only after every living node has appended, since any of them
// may have received its beats.
//
// Invariants:
//   - Replaying a log gives the same registry, byte for byte of its encoding.
//   - No session ends within missed × interval of a beat that a living node
//     acknowledged, unless its last miss was due by then.
//   - While every node appends at each tick, no session stays listed for more than
//     two ticks past missed × interval + grace of presence time. That count starts
//     anew once for each loss of the node that received its last beat, and for
//     each new epoch of the log.
//   - A command that names a session which is not live changes nothing.
//   - A beat moves a deadline and nothing else: O(1), no allocation, no disk.
package presence
