package redislog

import (
	"context"
	"time"
)

// replicationCheckInterval is how often a node checks how Redis replicates. A failover
// may promote a server with other settings.
const replicationCheckInterval = time.Minute

// runReplicationChecks checks how Redis replicates, until Close.
func (l *Log) runReplicationChecks() {
	for sleep(l.shutdown.ctx, replicationCheckInterval) == nil {
		l.checkReplication(l.shutdown.ctx)
	}
}

// checkReplication reads how Redis replicates. It ignores errors: Tail and Append report
// them.
func (l *Log) checkReplication(ctx context.Context) {
	if text, err := l.redis.Info(ctx).Result(); err == nil {
		l.recordReplication(serverInfo(text))
	}
}

// recordReplication records whether a primary with replicas would still accept writes when
// it is separated from them, and logs changes. INFO has min_slaves_good_slaves where
// min-replicas-to-write and min-replicas-max-lag are set. A Cluster's primary stops by
// itself after cluster-node-timeout.
func (l *Log) recordReplication(info serverInfo) {
	replicas := info.field("connected_slaves")
	if info.field("role") != "master" || info.field("cluster_enabled") == "1" || replicas == "" || replicas == "0" {
		return
	}
	isUnset := info.field("min_slaves_good_slaves") == ""
	switch wasUnset := l.minReplicasUnset.Swap(isUnset); {
	case isUnset && !wasUnset:
		l.options.Logger.Warn().Str("replicas", replicas).
			Msg("redis may have two primaries after a failover: set min-replicas-to-write 1 and min-replicas-max-lag 10 on all servers")
	case wasUnset && !isUnset:
		l.options.Logger.Info().Msg("redis has min-replicas-to-write now")
	}
}

// Warnings returns the settings of Redis that should be changed, by name; nil: none.
func (l *Log) Warnings() (settings []string) {
	if l.minReplicasUnset.Load() {
		settings = append(settings, "min-replicas-to-write")
	}
	return settings
}
