// Package auth authenticates users by JSON Web Tokens (JWT).
//
// A token has the claims sub (user id), role and exp, all required; iss and aud are
// checked if they are configured. Each configured key has one algorithm and optionally a
// key id (kid). The header of a token only selects among these keys, so a public key
// never serves as an HMAC secret; a token without a key id is verified with each key of
// its algorithm. Header members that point to other keys (jku, x5u, jwk) are ignored.
//
// nbf and iat have a leeway of 30 s for different clocks. exp has none, because a
// socket closes at the expiry of its token.
//
// Everything is safe for concurrent use. [NewVerifier] starts a goroutine only for a JWKS
// URL; it ends with the context.
package auth
