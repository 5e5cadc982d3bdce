package redislog

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// The scripts are what changes the log. Each is atomic, and harmless when it
// runs twice, since a reply that is lost makes its caller ask again.
var (
	//go:embed lua/append.lua
	appendLua string
	//go:embed lua/join.lua
	joinLua string
	//go:embed lua/found.lua
	foundLua string
	//go:embed lua/commit.lua
	commitLua string
	//go:embed lua/keep.lua
	keepLua string
	//go:embed lua/find.lua
	findLua string
	//go:embed lua/discard.lua
	discardLua string
)

type scripts struct{ append, join, found, commit, keep, find, discard *redis.Script }

func newScripts() scripts {
	return scripts{
		append: redis.NewScript(appendLua), join: redis.NewScript(joinLua),
		found: redis.NewScript(foundLua), commit: redis.NewScript(commitLua),
		keep: redis.NewScript(keepLua), find: redis.NewScript(findLua), discard: redis.NewScript(discardLua),
	}
}
