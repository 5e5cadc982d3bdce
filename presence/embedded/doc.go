// Package embedded holds the log and the archive of one process, in SQLite or in memory.
//
// [Open] opens a directory. A batch with a durable command is committed to
// SQLite (WAL, synchronous=FULL) before any reader gets it. All other batches
// never touch the disk, and never fail because of it. Changed records of the
// registry are written later, as rows: with the next commit, or within a second.
// A start loads the rows and applies the entries after them.
//
// The archive is a table of the same database; the registry does not contain its
// recordings. A call that stores recordings is one transaction, on disk when it
// returns. A database that is moved aside as damaged takes its recordings along. The
// check at the start reads the whole file, in 0.6 s for a million recordings that are in
// the system's cache.
//
// One goroutine, the writer, orders the entries and owns the connection that
// writes. Readers of entries use a buffer with a lock of its own. Readers of
// recordings use connections of their own, which block no commit.
//
// Invariants: an entry that Append acknowledged as durable survives a crash; the
// rows represent the registry at exactly one entry; a database that cannot be read
// is moved aside and logged, never silently replaced.
package embedded
