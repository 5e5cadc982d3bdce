package redislog

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

// inspect looks once at how Redis is set up. It returns an error when it will
// not do, and warns of what may lose the list.
func (l *Log) inspect(ctx context.Context) error {
	if l.inspected.Load() {
		return nil
	}
	info, err := l.redis.Info(ctx).Result()
	if err != nil && isReply(err) {
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
		return fmt.Errorf("%w: this is %q", errTooOld, field("redis_version"))
	}
	l.inspected.Store(true)
	if policy := field("maxmemory_policy"); policy != "noeviction" {
		l.logger.Warn().Str("maxmemory_policy", policy).Msg("redis: it may throw the list away when memory is short; set noeviction")
	}
	if saves, _ := strconv.ParseBool(field("aof_enabled")); !saves {
		l.logger.Warn().Msg("redis: appendonly is off, so a restart of Redis loses what was acknowledged; nodes that live put back what they know")
	}
	return nil
}
