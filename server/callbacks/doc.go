// Package callbacks judges the callbacks of clouds and media servers: may a client
// push or play, what does an event mean for a live session, which recording is new.
// Package hooks reads the bodies; this package decides.
//
// Make Callbacks with New, and register Handlers. A callback passes these steps:
// handler (answer in the provider's form) -> judge (address, path, secret, body) ->
// handleEvent (application, live code, order) -> authorizePlay, addRecording or
// observePush. A push is verified first (verifyPush); the end of a push is confirmed
// with the cloud, where there is one to ask (confirmEnd).
//
// Requests that ask for permission about foreign streams are refused; reports about
// them are accepted, or they would be repeated. What cannot be decided is answered
// with an error, so that the callback is repeated.
//
// It starts no goroutines. Handlers may run concurrently.
package callbacks
