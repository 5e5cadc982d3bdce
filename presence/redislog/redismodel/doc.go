// Package redismodel models a Redis server in memory, for a real go-redis client.
// It fails as a server and a network do, when a test says so or at random moments
// from a seed. It is made for testing/synctest: it waits with package time alone.
//
// [Redis] is the server. [Redis.Dial] returns a [Link], the connection of one node;
// package redislog uses the Link's Client unchanged. The model supports only the
// commands that redislog uses, and panics at any other. It identifies a script by
// the first line, and runs a version in Go.
//
// The modelled faults: slow, lost and late requests and replies; a server that is
// paused, down, out of memory, flushed, restarted with its data or without; and a
// failover to a replica that lacks the last seconds, with another replication id
// and maybe another clock.
package redismodel
