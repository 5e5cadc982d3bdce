// Package redislog holds the log and the archive on Redis, which many nodes share. It
// needs an ordinary Redis 6.2 or newer, or Valkey: single, under Sentinel, or a
// Cluster, where one slot has all of its keys.
//
// [Open] opens the log over a client of [NewClient]. The leader writes snapshots, and
// trims the log up to them, without a call.
//
// The keys, all with one prefix:
//
//	{prefix}:log         stream: the entries, with n number, t time, r epoch, b batch
//	{prefix}:head        hash: n and t of the newest entry, g the founding time of the epoch,
//	                     boot the newest incarnation
//	{prefix}:nodes       hash: by node incarnation, seq and time of its newest batch
//	{prefix}:snapshots   list: descriptions of the snapshots, newest first
//	{prefix}:snapshot:…  hash: the chunks of one snapshot
//	{prefix}:lock        string: the process that founds an epoch
//	{prefix}:trial:…     scratch keys of the trial at start, which deletes them
//	{prefix}:recordings  hash: the recordings of the archive, by id
//
//	{prefix}:recordings:start, :end, :anchor:…, :code:…
//	                     sorted sets: recordings by start or end, and by start those of one
//	                     anchor or live code; all scores are 0, members are a time in eight
//	                     bytes and the id
//
// What Redis does not promise, and how the package handles it:
//
//   - A failover, a restart or a flush may lose acknowledged writes. An entry has the
//     name of its epoch: the replication id and the founding time, of which every
//     loss changes one. A reader verifies that the log still has the last entry that
//     it yielded after each anomaly: a slow reply, an error, a gap in the numbers,
//     another epoch. The client library reconnects silently, so a broken connection
//     is no sign.
//   - Ids are no clock: they stop when the clock steps back. The script that appends
//     stores Redis's time.
//   - An append without a reply may have happened, or happen later. The script appends
//     each Seq of an incarnation once. A script replaces a recording only if the stored
//     value is the expected one.
//   - Recordings are as durable as the log. No node has a copy of them to restore.
//
// Concurrency: atomics and mutexes guard everything that Log has in memory. Its only
// goroutine is the snapshot writer.
package redislog
