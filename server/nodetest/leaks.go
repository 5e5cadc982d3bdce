package nodetest

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// VerifyNoLeaks runs the tests of a package, and fails if a goroutine is left.
func VerifyNoLeaks(m *testing.M) { goleak.VerifyTestMain(testingM{m}) }

// testingM closes the HTTP connections that tests left open for one another.
type testingM struct{ m *testing.M }

// Run implements goleak.TestingM.
func (t testingM) Run() int {
	defer http.DefaultClient.CloseIdleConnections()
	return t.m.Run()
}
