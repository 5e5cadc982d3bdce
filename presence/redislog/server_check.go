package redislog

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

// checkServerOnce checks Redis's version and settings once. It returns an error when
// Redis cannot be used, and warns of settings that may lose the list.
func (l *Log) checkServerOnce(ctx context.Context) error {
	if l.serverChecked.Load() {
		return nil
	}
	info, err := l.redis.Info(ctx).Result()
	if err != nil && isErrorReply(err) {
		return fmt.Errorf("redis: INFO, which the log needs: %w", err)
	}
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	field := func(name string) string {
		if m := regexp.MustCompile(`(?m)^` + name + `:(\S*)`).FindStringSubmatch(info); m != nil {
			return m[1]
		}
		return ""
	}
	var major, minor int
	if _, err := fmt.Sscanf(field("redis_version"), "%d.%d", &major, &minor); err != nil || major < 6 || major == 6 && minor < 2 {
		return fmt.Errorf("%w: this is %q", errOldVersion, field("redis_version"))
	}
	l.serverChecked.Store(true)
	if policy := field("maxmemory_policy"); policy != "noeviction" {
		l.options.Logger.Warn().Str("maxmemory_policy", policy).Msg("redis may evict the list: maxmemory-policy should be noeviction")
	}
	if persistent, _ := strconv.ParseBool(field("aof_enabled")); !persistent {
		l.options.Logger.Warn().Msg("redis restarts may lose acknowledged changes: appendonly is off")
	}
	return nil
}
