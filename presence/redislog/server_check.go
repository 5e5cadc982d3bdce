package redislog

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// checkServerOnce checks once that Redis can be used: its version, and a trial of all
// commands. It warns of settings that may lose the list. It is called by Load, before
// other methods use the client, which it replaces for a Cluster behind one address.
func (l *Log) checkServerOnce(ctx context.Context) error {
	if l.serverChecked.Load() {
		return nil
	}
	text, err := l.redis.Info(ctx).Result()
	if err != nil && isErrorReply(err) {
		return refusedCommands("INFO: " + err.Error())
	}
	if err != nil {
		return err
	}
	info := serverInfo(text)
	var major, minor int
	if _, err := fmt.Sscanf(info.field("redis_version"), "%d.%d", &major, &minor); err != nil || major < 6 || major == 6 && minor < 2 {
		return fmt.Errorf("%w: this is %q", errOldVersion, info.field("redis_version"))
	}
	if single, ok := l.redis.(*redis.Client); ok && info.field("cluster_enabled") == "1" {
		// One address of a Cluster serves until the slot moves or its primary dies.
		l.options.Logger.Info().Msg("redis is a cluster, connecting to all of its nodes")
		l.useClient(clusterClientOf(single))
		_ = single.Close()
	}
	if err := l.tryCommands(ctx); err != nil {
		return err
	}
	l.serverChecked.Store(true)
	if policy := info.field("maxmemory_policy"); policy != "noeviction" {
		l.options.Logger.Warn().Str("maxmemory_policy", policy).Msg("redis may evict the list: maxmemory-policy should be noeviction")
	}
	if persistent, _ := strconv.ParseBool(info.field("aof_enabled")); !persistent {
		l.options.Logger.Warn().Msg("redis restarts may lose acknowledged changes: appendonly is off")
	}
	l.recordReplication(info)
	return nil
}

// serverInfo is the reply to INFO.
type serverInfo string

// field returns the value of a field, "" for a missing one.
func (info serverInfo) field(name string) string {
	if m := regexp.MustCompile(`(?m)^` + name + `:(\S*)`).FindStringSubmatch(string(info)); m != nil {
		return m[1]
	}
	return ""
}
