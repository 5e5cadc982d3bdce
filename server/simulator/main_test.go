//go:build !race

package simulator

import (
	"testing"

	"onair/server/nodetest"
)

func TestMain(m *testing.M) { nodetest.VerifyNoLeaks(m) }
