// Package rest answers the calls of version 1 over HTTP: start, beat, update and stop
// of apps that have no socket; pages and events of the list; likes; recordings; and the
// calls of operators (why, sessions, kick, bans, sign, dead letters, metrics).
//
// Make an API with New, and Register it; api.go has the table of calls and who may
// make them. A call returns an error of the protocol, which authorize answers as a
// problem.
//
// GET /v1/streams/events is a viewer socket in one direction: parseEvents checks the
// request, admission admits it, and pump writes what the hub gives an eventWriter.
// The goroutine of the handler writes; the hub waits in between for each event.
//
// The package starts no goroutines. Handlers may run concurrently.
package rest
