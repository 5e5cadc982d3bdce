package redislog

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// The scripts are what changes the log and the archive, and what reads pages of
// that. Each is atomic, and harmless when it runs twice, since a reply that is lost
// makes its caller ask again.
var (
	//go:embed lua/append.lua
	appendLua string
	//go:embed lua/join.lua
	joinLua string
	//go:embed lua/found.lua
	foundLua string
	//go:embed lua/commit.lua
	commitLua string
	//go:embed lua/exchange.lua
	exchangeLua string
	//go:embed lua/recordings.lua
	recordingsLua string
)

type scripts struct{ append, join, found, commit, exchange, recordings *redis.Script }

func newScripts() scripts {
	return scripts{
		append: redis.NewScript(appendLua), join: redis.NewScript(joinLua),
		found: redis.NewScript(foundLua), commit: redis.NewScript(commitLua),
		exchange: redis.NewScript(exchangeLua), recordings: redis.NewScript(recordingsLua),
	}
}
