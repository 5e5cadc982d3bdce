// Package tokens verifies the tokens of requests and messages with the current keys, and
// counts those that it refuses.
package tokens
