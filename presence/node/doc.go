// Package node runs one server's part in the list.
//
// A [Node] gathers the commands and heartbeats of its sockets into batches,
// appends them to a [presence.Log], applies the log's entries to its registry, and
// answers the commands. When the log has lost entries, the nodes restore them.
//
// Start with [Join], then [Node.Run]. [Node.Do] appends a command, [Node.Beat] a
// heartbeat, and [Node.Read] reads the registry.
//
// Ownership: the goroutine in runApplier alone changes the registry, under
// Node.mu. The one in runAppender alone appends. Locks are taken in the order
// Node.mu, commandQueue.mu, tally.mu, and none is held during an append.
package node
