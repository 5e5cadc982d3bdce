// Package wire encodes and decodes the messages of the anchor and the viewer
// socket. The server, the tests and the load generator all use it, so the two
// ends cannot disagree. docs/protocol.md specifies the messages.
//
// # Messages
//
// Every message is one JSON object with a "type". An answer has the [ID] of its
// request. The files anchor_messages.go, viewer_messages.go and common_messages.go
// each begin with the flow of the messages that they define.
//
// # Use
//
// Servers read with [DecodeAnchorRequest] and [DecodeViewerRequest], which
// return only valid requests, or an [*Error] that can be sent as it is. Clients
// read with [DecodeServerMessage]. Both write with [Append]. Hot messages have
// appenders that allocate nothing except to grow dst: [AppendAck],
// [AppendPatch] and [BodyWriter]. A frame is a head ([AppendHead]: type and id)
// and a body, so one encoded body serves every socket. [ClientView] is a client's
// copy of a view.
//
// # Adding a message
//
// A message is a struct with the methods of [Message]. Its visitMembers method
// lists the members once, for encoding and decoding. Its type and its entry in a
// list are at the beginning of the same file.
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
