// Package embedded is the home of the log inside one process.
//
// [Open] a directory, join a node by presence.JoinLog. A batch with a durable
// command is committed to SQLite (WAL, synchronous=FULL) before anybody sees
// it; all other batches never touch the disk, and never fail because of it.
// The registry's records that change are written behind it, as rows: with the
// next commit, or within a second. A start is the rows, and the entries after
// them.
//
// One goroutine, the writer, owns the database and the order of entries. Tails
// read from a buffer of the newest entries under a lock of its own.
//
// What must always hold: an entry that Append acknowledged as durable is there
// after a crash; the rows stand at one entry's number, whole; a database that
// cannot be read is moved aside and said, never silently replaced.
package embedded
