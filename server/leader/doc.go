// Package leader does what one node does for all nodes: it delivers the events of the
// registry's outbox to the archive, the cloud and the app's back end, moderates,
// polls the cloud for pushes, compares recordings, and discards old ones.
//
// Make a Leader of a node that has joined the log, and Run it until the node stops.
// Run starts the tasks whenever this node is the leader, and stops them when it no
// longer is. Two nodes may run them for a moment; every task may be done twice.
//
//   - deliveries.go: the outbox; each event has parts (archive, webhook, moderation),
//     and is completed in the log once all are done or given up
//   - moderation.go: what the provider must do for kicks and bans, with retries
//   - polling.go: which sessions the poller asks for, and what its answers mean
//   - recordings.go: recordings that no callback reported, and old ones
//   - providers.go: the clients of clouds and media servers
//
// Run owns all goroutines, and waits for them. Fields of deliveries belong to the
// goroutine of runDeliveries; results come to it over a channel.
package leader
