// Package outgoing makes the HTTP clients of the server: for webhooks, for the clouds' APIs and
// for token keys.
//
// [NewTransport] finds connections that died silently; [WithoutURL] keeps URLs, which may contain
// passwords, out of errors. Both may be called concurrently.
package outgoing
