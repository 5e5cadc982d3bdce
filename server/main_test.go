package main

import (
	"os"
	"testing"

	"onair/server/nodetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(runAsServer) != "" {
		main()
	}
	nodetest.VerifyNoLeaks(m)
}
