// Package sockets serves the WebSocket endpoints of anchors and viewers.
//
// Fill in Endpoints, and register Anchors and Viewers. A request is admitted,
// authenticated and upgraded (endpoints.go), and becomes a client (client.go), whose
// messages an anchor or a viewer handles (anchor.go, viewer.go). Attachments knows
// which socket is attached to which session, and passes changes of the log on to it.
//
// One goroutine reads a socket at a time; where the Poller watches sockets there is
// none between messages. It owns the fields of reader. The goroutine that applies
// the log calls Attachments, which calls anchors with its lock held; anchor.mu is
// taken inside it, never the other way round. Sending never blocks.
package sockets
