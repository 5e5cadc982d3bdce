// Package rest answers the HTTP calls of version 1: start, beat, update and stop for apps
// without a socket; pages and events of the list; likes; recordings; and calls of operators
// (why, sessions, kick, bans, sign, dead letters, metrics).
//
// Make an API with New, and Register its routes on a mux. API.Register is the table of calls
// with the roles that they require. A handler returns a *wire.Error, which authorize answers
// as a problem (RFC 9457).
//
// GET /v1/streams/events is a viewer socket in one direction. parseEventsRequest checks the
// request, package admission admits it, and writeEventsUntilClosed writes the messages that the hub
// passes to an eventWriter. The goroutine of the handler writes; the hub waits for each event.
//
// The package starts no goroutines. Handlers may run concurrently.
package rest
