// Package presencetest has the test suites of presence.Log and presence.Archive,
// and logs with faults for other tests.
package presencetest
