// Package hub shows the live list to viewers: views over it, diffs that are
// encoded once for everybody, resume from any recent position, and fan-out.
// What clients see is docs/protocol.md; wire has its messages, socket its
// connections.
//
// # Use
//
// [New] makes a hub and [Hub.Load] gives it the list. One goroutine calls
// [Hub.ApplyPatch] for every entry of the log, one runs [Hub.Run]. When the log has
// lost entries that were applied, the first calls [Hub.Hold], and [Hub.Rebase]
// once it has the list as it is now. For each socket
// [Hub.Attach] starts a writer; requests go to [Hub.Subscribe],
// [Hub.Unsubscribe], [Hub.Watch] and [Hub.Unwatch], other answers to
// [Socket.Send]; whoever reads the socket calls [Socket.Close] in the end.
//
// # How it works
//
//	Change ─▶ order ─▶ view ─▶ frame ─▶ cursors that stand at its prev
//	   └────▶ ring  ─▶ bring: from any position to a view's last frame
//
// An order is a filter and a sort: one tree, shared by views that differ in
// limit or play. It is made with its first view, of the streams of its rarest
// tag or of the whole list. Two windows are compared along their order: what is
// the same in both is passed over without being looked at. A view keeps the window that its last frame led to, and no
// history: that is the list's, in one ring that is written for each entry of
// the log, never at a view's own ticks. A position from another node, whose
// ticks fall elsewhere, is therefore as good as one of ours. A viewer is a
// cursor: a socket, a view and a position. It has no queue. A socket that is
// busy when a frame goes is left where it is, and brought to its view's last
// frame, by one diff, when it is free.
//
// # Goroutines and locks
//
// Hub.mu guards the list, orders, views and the ring. A shard's mu guards which
// of its sockets' cursors stand on which view. Socket.mu guards where a
// socket's cursors stand and what waits for it; writes, which do not block,
// happen under it. They are taken in this order, the last two never together:
//
//	Hub.mu → shard.mu
//	Hub.mu → Socket.mu
//
// Nothing is written to a connection with Hub.mu held. [Hub.Run]'s goroutine
// flushes views; those of the shards hand frames out. A socket has none: what
// waits for it is written by whoever brings it, or finds that there is room
// (Socket.pump).
//
// # Invariants
//
//   - A view that is not dirty shows what its order's tree has, and stands in the
//     ring's history.
//   - Ids of positions are compared within one history only.
//   - No play URL of a view's window changes before the view's next switch.
//   - A cursor that is not at its view's last frame has a request under way, or
//     the frame on its way to it, or its socket is marked behind, or somebody has
//     the socket's turn and is about to bring it there.
//   - A cursor moves when a message is written, so what a socket gets next always
//     begins where the last one ended.
//   - A frame is encoded once, whatever the number of cursors.
//   - Requests are answered in their order, but for one whose position this
//     node has not shown yet.
//
// It does not authenticate, parse messages or limit their rate, and it reads
// no clock but for ticks, idleness and rates: all that viewers see has log time.
package hub
