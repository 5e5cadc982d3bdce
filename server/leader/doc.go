// Package leader runs the tasks that one node does for all nodes. It delivers the events of
// the registry's outbox to the archive, the cloud and the app's back end. It polls the cloud
// for pushes, imports recordings, and deletes old ones.
//
// Make a Leader of a node that has joined the log, and Run it until the node stops. Run starts
// the tasks when this node becomes the leader, and stops them when it steps down. For a short
// time two nodes may run the tasks, so each result may happen twice.
//
//   - deliveries.go: deliveries of outbox events; a delivery has up to three parts (archive,
//     webhook, moderation) and is completed in the log when all are done or given up
//   - moderation.go: calls of the provider for kicks and bans, with retries
//   - recordings.go: import and deletion of recordings
//   - providers.go: the clients of clouds and media servers
//
// Run owns all goroutines, and waits for them. The fields of deliveryLoop belong to the
// goroutine of runDeliveries, which receives results over a channel.
package leader
