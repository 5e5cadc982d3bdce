// Package tokens verifies the tokens of requests and of messages by the configuration in
// force, and counts those that are refused.
package tokens
