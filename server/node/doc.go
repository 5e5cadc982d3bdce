// Package node makes one node of onair from its parts, starts and stops them in order,
// reloads the configuration, and routes requests.
//
// Open a store with OpenStore, make a Node with New, and call Serve, which returns
// when the context ends or a task fails. Serve answers on the ops listener
// from the start, joins the log, waits for the list, and then serves the public.
//
// Goroutines belong to a taskGroup: tasks start in order and stop in reverse order,
// and the first that fails stops all. The order is: ops listener, reload, heap, log,
// hub, flight recorder, isolation watch, leader, public listener. To stop the public
// listener is to drain it first.
//
//   - node.go: the parts, and how they are wired
//   - serve.go, task_group.go: start and stop
//   - log_follower.go: publishes changes of the list to views and sockets
//   - routes.go, ops.go: the two listeners
//   - reload.go: what a reload replaces
//   - settings.go, store.go, garbage_collector.go: shared settings, the store, the heap
//
// Parts after Hub are nil until the node has joined the log; HasStartedServing reports when
// all are there.
package node
