// Package redislog is the home of the log on Redis, which many nodes share. It
// works on an ordinary Redis 6.2 or newer, or Valkey: single, under Sentinel,
// or a Cluster, where all of its keys are in one slot.
//
// Open one with [Open] over a client of [Dial]; then it is used as any
// [presence.Log] is. A node that is the keeper also writes snapshots, and trims
// the log behind them, by itself.
//
// The keys, all under one prefix:
//
//	{prefix}:log         stream: the entries, each n number, t time, r history, b batch
//	{prefix}:head        hash: n and t of the newest entry, g when the history was founded, boot
//	{prefix}:nodes       hash: by node the boot, number and time of its newest batch
//	{prefix}:snapshots   list: what there is of snapshots, newest first
//	{prefix}:snapshot:…  hash: the chunks of one
//	{prefix}:lock        string: who is founding the history
//	{prefix}:recordings  hash: by id the recordings of the archive
//
//	{prefix}:recordings:start, :end, :anchor:…, :code:…
//	                     sorted sets: the recordings by when they started or ended, and by
//	                     start those of one anchor or live code. All scores are 0, members
//	                     are a time as eight bytes, and the id
//
// What Redis does not promise, and what follows:
//
//   - Acknowledged writes may be gone after a failover, a restart or a flush. An
//     entry carries the replication id that it was written under, together with
//     the time at which its history was founded, so that what comes after a loss
//     is told from what was lost. A reader looks again for the last entry that
//     it has yielded whenever something is odd: a reply that took too long, an
//     error, a number that does not follow, another history. The client dials
//     anew without a word, so a broken connection is nothing that could be seen.
//   - Ids are no clock: after a step of the clock they stand still. The script
//     that appends stores Redis's time.
//   - An append whose answer is lost may have happened, or yet happen. A batch
//     has a number, and the script appends it once. A recording is written in the
//     place of what was read there before, or not at all.
//   - Recordings are as durable as the log is, but nobody has them to put them back:
//     what Redis loses of them is lost.
//
// Ownership: everything that Log has in memory is guarded by its mutex, or
// atomic. The one goroutine of its own is the keeper's.
package redislog
