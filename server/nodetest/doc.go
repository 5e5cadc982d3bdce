// Package nodetest has what tests of a whole node share: a node on listeners in
// memory (Server), a client of its sockets (Client), calls over HTTP whose answers
// are held to the documents of the interface (Contract), an app's back end, and a
// connection below WebSockets (RawSocket).
//
// Serve and its variants must be called in a bubble of testing/synctest. All that
// they start ends with the test.
package nodetest
