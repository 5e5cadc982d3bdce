package redislog

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// The scripts change the log and the archive, and read pages of recordings. Each is
// atomic, and safe to run twice, because its caller retries after a lost reply.
var (
	//go:embed lua/append_batch.lua
	appendBatchLua string
	//go:embed lua/next_incarnation.lua
	nextIncarnationLua string
	//go:embed lua/found_epoch.lua
	foundEpochLua string
	//go:embed lua/commit_snapshot.lua
	commitSnapshotLua string
	//go:embed lua/replace_recordings.lua
	replaceRecordingsLua string
	//go:embed lua/scan_recordings.lua
	scanRecordingsLua string
	//go:embed lua/trial.lua
	trialLua string
)

type scripts struct {
	appendBatch, nextIncarnation, foundEpoch, commitSnapshot, replaceRecordings, scanRecordings, trial *redis.Script
}

func newScripts() scripts {
	return scripts{
		appendBatch: redis.NewScript(appendBatchLua), nextIncarnation: redis.NewScript(nextIncarnationLua),
		foundEpoch: redis.NewScript(foundEpochLua), commitSnapshot: redis.NewScript(commitSnapshotLua),
		replaceRecordings: redis.NewScript(replaceRecordingsLua), scanRecordings: redis.NewScript(scanRecordingsLua),
		trial: redis.NewScript(trialLua),
	}
}
