// Package wire encodes and decodes the messages of the anchor and the viewer
// socket. The server, the tests and the load generator all use it, so the two
// ends cannot disagree. docs/protocol.md specifies the messages.
//
// # Flow
//
// Every message is one JSON object with a "type". The server sends [Welcome] at
// once, or after [Auth]. Then
//
//	anchor → Start | Resume             → Started, or Error
//	anchor → Beat, once per heartbeat   → Ack; a Probe requests an early Beat
//	anchor → Update | PushRequest       → Updated | Pushed
//	anchor → Stop                       → Stopped; or the server sends Ended
//
//	viewer → Subscribe (a live query)   → Snapshot or Diff, then Diffs until
//	viewer → Unsubscribe                → Unsubscribed
//	viewer → Watch (one stream)         → Watching, then Diffs until
//	viewer → Unwatch                    → Unwatched
//	viewer → Like                       → Liked
//
// The server also sends [TokenExpiring] and [Drain] to both, [Notice] and
// [Settings] to anchors, and [Ping] to viewers without a view. It answers a
// request that fails with [Error], and a later Auth with [Authenticated]. An
// answer has the [ID] of its request.
//
// # Use
//
// Servers read with [DecodeAnchorRequest] and [DecodeViewerRequest], which
// return only valid requests, or an [*Error] that can be sent as it is. Clients
// read with [DecodeServerMessage]. Both write with [AppendString]. Hot messages have
// appenders that allocate nothing except to grow dst: [AppendAck],
// [AppendPatch] and [BodyWriter]. A frame is a head ([AppendHead]: type and id)
// and a body, so one encoded body serves every socket. [ClientView] is a client's
// copy of a view.
//
// # Adding a message
//
// A message is a struct with the methods of [Message]. Its visitMembers method
// lists the members once, for encoding and decoding. The message must also be in
// one of the lists in decode.go.
//
// # Rules
//
//   - Member names are case-sensitive. Unknown members are ignored. A known
//     member that occurs twice is an error.
//   - In a request, null and "" in an optional member mean that it is absent. In
//     [Update], null removes the member.
//   - A decoded message shares no memory with its input.
//   - A decoded message encodes to JSON that decodes to an equal message.
//   - This package starts no goroutine, takes no lock and reads no clock. Values
//     are safe for concurrent reading.
//   - Encoders trust their caller: they neither validate nor repair raw JSON
//     ([Entry.Extra], [Entry.PlayJSON]).
package wire
