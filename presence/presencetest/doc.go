// Package presencetest holds what tests of logs need: the suite that every
// presence.Log passes, and logs that misbehave in a way.
package presencetest
