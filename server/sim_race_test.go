//go:build race

package main

// The seeds of each class that a test run takes: the same ones each time, and
// fresh ones. The race detector is slow at them, and where there are many it
// fails a check of its own now and then (tsan_rtl.cpp: kEpochLast).
const (
	simFixed = 1
	simFresh = 1
)
