// Package hub serves the live list to viewers: views, diffs that are encoded
// once for all viewers, resume from recent positions, and fan-out. docs/protocol.md
// specifies what clients see. Package wire has its messages, package socket its
// connections.
//
// # Use
//
// [New] makes a hub and [Hub.Load] sets its list. One goroutine calls [Hub.Apply]
// for every log entry; another calls [Hub.Run]. When the log has lost entries that
// were applied, the first goroutine calls [Hub.Freeze], and then [Hub.Rebase] with
// the new list.
//
// [Hub.Attach] adds a connection. Its reader passes requests to [Hub.Subscribe],
// [Hub.Unsubscribe], [Hub.Watch] and [Hub.Unwatch], sends other answers with
// [Socket.Send], and calls [Socket.Close] at the end. The error of a request is a
// [*wire.Error] for the client; the caller adds the request's id.
//
// # Design
//
//	Change ─▶ order ─▶ view ─▶ frame ─▶ cursors at the frame's prev
//	   └────▶ undo ring ─▶ catch-up: from any position to a view's last frame
//
// An order is a filter and a sort. It has one tree of the matching streams, which
// all views that differ in limit or play URLs share. The first view creates it,
// from the streams of its rarest tag or from the whole list.
//
// A view keeps the window of its last frame, and no history. The list has one
// undo ring, with the changes of each log entry. It does not depend on the ticks
// of views. So a position of another node, with other ticks, serves as well.
//
// A viewer is a cursor: a socket, a view and a position. It has no queue. A frame
// leaves cursors of busy sockets behind. When the socket can write again, one
// diff leads such a cursor to its view's last frame.
//
// # Goroutines and locks
//
// Hub.mu guards the list, orders, views, the undo ring and the schedule. A shard's
// mu guards which cursors of its sockets are on which view. Socket.mu guards the
// positions of the socket's cursors and its pending messages. Writes do not
// block, and happen with Socket.mu held. The lock order is
//
//	Hub.mu → shard.mu
//	Hub.mu → Socket.mu
//
// and no goroutine holds a shard's mu and a Socket.mu together. Nothing is written
// to a connection with Hub.mu held.
//
// The goroutine of [Hub.Run] flushes views. Each shard has a goroutine that writes
// frames. A socket has none: a goroutine that adds a message, or learns that the
// connection is no longer full, writes the pending messages.
//
// # Invariants
//
//   - A view that is not dirty shows the window of its order's tree, and its epoch
//     is the ring's.
//   - Ids of positions are compared within one epoch only.
//   - No play URL of a view's window changes before nextRenewal.
//   - A cursor that is not at its view's last frame will get there. It has a request
//     without an answer, or the frame is on its way, or its socket is marked
//     behind, or a goroutine in writePendingMessages will move it.
//   - A cursor moves when its message is written. So each message continues from
//     the one before.
//   - A frame is encoded once, for any number of cursors.
//   - Requests of a socket are answered in order, except for those whose position
//     this node has not published yet.
//
// The package does not authenticate clients, parse messages or limit the rate of
// messages. It reads the clock only for ticks, idle times and rates: all that
// viewers see depends on log time.
package hub
