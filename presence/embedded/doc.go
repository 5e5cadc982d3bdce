// Package embedded is the home of the log inside one process.
//
// [Open] a directory, join a node by node.Join. A batch with a durable
// command is committed to SQLite (WAL, synchronous=FULL) before anybody sees
// it; all other batches never touch the disk, and never fail because of it.
// The registry's records that change are written behind it, as rows: with the
// next commit, or within a second. A start is the rows, and the entries after
// them.
//
// The same database is the archive: a table has the recordings, which are in no
// registry. To keep some is one transaction, on disk when it returns. They share
// the fate of the file: one that is moved aside as damaged takes them with it, see
// [Log.Damaged]. The check at the start reads the whole file, in 0.6 s for a million
// of them where it is in the system's cache.
//
// One goroutine, the writer, owns the order of entries and the connection that
// writes. Tails read from a buffer of the newest entries under a lock of its own,
// pages of recordings by connections of their own, which no commit waits for.
//
// What must always hold: an entry that Append acknowledged as durable is there
// after a crash; the rows stand at one entry's number, whole; a database that
// cannot be read is moved aside and said, never silently replaced.
package embedded
