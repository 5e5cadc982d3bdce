//go:build !race

package simulator

// The seeds of each class that a test run takes: the same ones each time, and
// fresh ones.
const (
	simFixed = 30
	simFresh = 30
)
