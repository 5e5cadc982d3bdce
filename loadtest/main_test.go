package main

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// testTimeout is how long tests wait for an event. Only a test that fails waits that
// long.
const testTimeout = 60 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
