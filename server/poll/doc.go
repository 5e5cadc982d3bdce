// Package poll queries a provider once per interval for the push state of live sessions,
// and reports the results. Their effect on a session is decided elsewhere.
//
// [NewPoller] returns a [Poller]. Run it on one node, the leader. QueryIsOnline
// queries one live code immediately, on any node.
//
// A round first reads the provider's list of pushes, if it has one. Then it queries, one
// by one, the sessions that matter and are missing in the list. It spreads these queries
// over the rest of the interval, and starts with the sessions that have waited longest for
// a result. Sessions that do not fit wait for the next round. A provider that has only a
// list is read a second time.
//
// Invariants:
//   - PollOffline is the provider's response to a query for that stream, or its absence from
//     two complete lists. The second list begins after the end of the first.
//   - PollFailed is reported only for a stream without a response while the provider
//     answered other queries, before and after it. So an outage of the provider reports
//     nothing.
//   - Rate limiting reports nothing either.
//   - All queries stay within the budget of the provider's client.
package poll
