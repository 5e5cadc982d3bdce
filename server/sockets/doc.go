// Package sockets serves the WebSocket endpoints of anchors and viewers.
//
// Fill in a Server, and register AnchorHandler and ViewerHandler. A request is admitted,
// authenticated and upgraded (server.go). It becomes a client (client.go), whose messages an
// anchor or a viewer handles (anchor.go, viewer.go). Attachments has the attached socket of
// each session and passes changes of the log to it.
//
// One goroutine at a time reads a socket and owns the fields of reader. Where the Poller
// watches sockets, no goroutine exists between messages. The goroutine that applies the log
// calls Attachments, which calls anchors with its lock held. Sending never blocks.
package sockets
