// Package webhooks delivers stream events to the app's back end: started, away, resumed,
// ended, and recording ready.
//
// Each event is a CloudEvent in JSON, signed by the Standard Webhooks scheme, in one
// HTTP request. The outbox of the registry stores open events; this package stores
// nothing durably. A [Sender] exists once per process. Each time a node becomes the
// leader, it creates a [Dispatcher], runs it with [Dispatcher.Run], and passes it the
// open events in order with [Dispatcher.Enqueue]. The dispatcher reports each event
// once as delivered or dead.
//
// Invariants:
//   - The next event of a live code is sent only after the previous one is delivered or
//     dead. Events of different live codes are sent concurrently, up to a limit.
//   - Without faults, an event is sent once. After a fault, or by the next leader, it may
//     be sent again with the same id.
//   - A stopped dispatcher reports no result of an interrupted attempt.
//   - An open event needs memory, but no goroutine and no timer.
//   - A back end that is down receives one probe at a time.
//   - No error, log line or metric contains the secrets, nor the URL, which may contain a
//     password.
//
// The mutex of a Dispatcher guards all of its mutable fields. It is not held during a
// request or a call of OnResult.
package webhooks
