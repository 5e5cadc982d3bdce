// Package webhooks tells the app's back end what happens to streams: that they
// have started, are away, are back, have ended, and that a recording is ready.
//
// Each event is a CloudEvent in JSON, signed by the Standard Webhooks scheme,
// and sent with one HTTP request. What is to be told, until when, and that it
// was told, is not kept here: that is the outbox of the list, which the keeper
// empties. A [Sender], made once, knows the back end. Each time a node becomes
// the keeper it makes a [NewPump] of it, runs that with [Pump.Run], and hands it
// with [Pump.Enqueue] what is open, in order; the pump says of each event once
// that it was delivered, or given up.
//
// What must always hold:
//   - Of the events of one live code the next is sent only once the one before
//     was delivered or given up. Those of different live codes do not wait for
//     each other, up to a number under way at once.
//   - An event is delivered once while nothing fails. After a fault, or under
//     another keeper, it may be sent again, under the same id.
//   - A pump that was stopped has said nothing of what it does not know.
//   - What waits costs memory and nothing else: no goroutine and no timer.
//   - A back end that is down is probed by one try at a time.
//   - The URL, which may hold a password, and the secrets are in no error, log
//     line or metric.
//
// Ownership: everything that changes in a Pump is guarded by its mutex, which is
// never held while a request is under way or while the caller is told.
package webhooks
