// Package callbacks decides about the callbacks of clouds and media servers: may a client
// push or play, what does an event mean for a live session, is a recording new. Package
// hooks parses the callbacks.
//
// Make Callbacks with New, and register Handlers. A callback passes these steps: handler
// (writes the answer in the form of the provider), authorize (address, path, secret), parse
// (body, signature), handleEvent (application, live code, order), and then authorizePlay,
// addRecording or observePush. verifyPushSignature verifies a push. confirmPushEnd confirms the end
// of a push with the cloud.
//
// A request for permission about a foreign stream is refused. A report about a foreign
// stream is accepted, because the provider would repeat it. A callback that cannot be
// decided is answered with an error, so that the provider repeats it.
//
// It starts no goroutines. Handlers may run concurrently.
package callbacks
