// Package logging makes the logger of a process, whose level can change while it runs.
package logging
