package rest_test

import (
	"testing"

	"onair/server/nodetest"
)

func TestMain(m *testing.M) { nodetest.VerifyNoLeaks(m) }
