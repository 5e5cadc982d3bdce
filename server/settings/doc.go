// Package settings makes the settings that all nodes share of the configuration, and
// names the kinds of outbox events.
package settings
