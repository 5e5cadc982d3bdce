package main

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// soon is how long tests wait for what must come: only one that fails takes so
// long.
const soon = 60 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
