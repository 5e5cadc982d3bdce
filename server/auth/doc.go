// Package auth checks who somebody is by a JWT.
//
// A token names its user (sub), a role and an expiry (exp), all required; iss
// and aud are checked where configured. A key belongs to one algorithm and
// maybe a key id, by configuration: the token's header only picks among them,
// so that a public key is never taken for an HMAC secret, and what a header
// says of other places to find keys (jku, x5u, jwk) is never read.
//
// The clocks of who signs and who checks may differ by 30 s for nbf and iat.
// For exp nothing is forgiven: a socket closes when its token says so.
//
// All of it may be used concurrently. [NewSender] starts a goroutine only where a
// JWKS URL is configured; it ends with the context.
package auth
