// Package wire is onair's one codec for the anchor and the viewer socket: the
// server, the tests and the load generator speak through it, so the two ends
// cannot disagree. The contract itself is docs/protocol.md.
//
// # Flow
//
// Every message is one JSON object with a "type". A socket is welcomed (at
// once, or after [Auth]) with [Welcome]; then
//
//	anchor → Start | Resume             → Started, or Error
//	anchor → Beat, once per heartbeat   → Ack; a Probe asks for one early
//	anchor → Update | PushRequest       → Updated | Pushed
//	anchor → Stop                       → Stopped; or the server says Ended
//
//	viewer → Subscribe (a live query)   → Snapshot or Diff, then Diffs until
//	viewer → Unsubscribe                → Unsubscribed
//	viewer → Watch (one stream)         → Watching, then Diffs until
//	viewer → Unwatch                    → Unwatched
//	viewer → Like                       → Liked
//
// Unasked, the server also sends [TokenExpiring] and [Drain] to either,
// [Notice] and [Settings] to anchors, and [Ping] to viewers without a view. A
// request that is refused is answered with [Error], a later Auth with
// [Authenticated]. An answer carries the [ID] of its request.
//
// # Use
//
// Servers read with [DecodeAnchorRequest] and [DecodeViewerRequest], which return only
// requests that passed Validate, and otherwise an [*Error] fit to be sent as
// it is. Clients read with [DecodeServerMessage]. Both write with [AppendFrame]; the hot
// messages have appenders of their own ([AppendAck], [AppendDiff], [BodyWriter],
// [AppendPatch]) that allocate nothing beyond growing dst. A frame is a head
// ([AppendHead]: type and id) and a body, so a body encoded once serves every
// socket. [ClientView] is the client's side of a view.
//
// # Rules
//
//   - Member names are matched exactly; unknown members are ignored; a known
//     member given twice is refused.
//   - In a request, null and "" in an optional member mean that it is absent;
//     only in [Update] does null say "remove".
//   - What a decoder returns shares no memory with its input.
//   - What a decoder returns encodes to something that decodes to the same.
//   - Nothing here starts a goroutine, takes a lock or reads a clock. Values
//     are safe for concurrent reading.
//   - Encoders trust their caller: they neither validate nor repair raw JSON
//     ([Entry.Extra], [Entry.PlayJSON]).
package wire
