package migration

import (
	"flag"
	"testing"

	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Each check opens three databases. The flag of the command line takes precedence.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	logging.Disable()
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}
