// Package redismodel is a Redis that is a model: it answers a real go-redis
// client in memory, and fails as the real one and its network do, at moments
// that a test chooses or a seed does. It is made for testing/synctest: all of
// its waiting is done by package time.
//
// A [Redis] is the server; [Redis.Dial] gives a [Link], the way of one node to
// it, whose Client is what package redislog works with, unchanged. Only the
// commands that redislog uses are known, any other panics; its scripts are told
// by their first line, and are written again in Go.
//
// What it models: requests and replies that take their time, are lost, or come
// long after their client has given up; a server that is stopped (it accepts,
// and does later what it was asked meanwhile), down, full, restarted with its
// data or without, flushed, or replaced by a replica that lacks the last
// seconds, with another replication id and maybe another clock.
package redismodel
