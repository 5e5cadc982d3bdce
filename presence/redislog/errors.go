package redislog

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

// isNotWritten reports whether an error proves that nothing was written: Redis replied
// with it, or was not reached. A script returns errors only before it writes.
func isNotWritten(err error) bool {
	if isErrorReply(err) {
		return true
	}
	opErr, ok := errors.AsType[*net.OpError](err)
	return ok && opErr.Op == "dial" || errors.Is(err, redis.ErrPoolTimeout)
}

// isErrorReply reports whether Redis replied with the error.
func isErrorReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok && !errors.Is(err, redis.Nil)
}

// temporaryReplies matches error replies that pass without a change of settings or
// rights. Before Redis 7, scripts put text before the reply of a command.
var temporaryReplies = regexp.MustCompile(`(^|[ -])(LOADING|BUSY|READONLY|OOM|MISCONF|NOREPLICAS|MASTERDOWN|NOMASTERLINK|CLUSTERDOWN|TRYAGAIN|UNBLOCKED) |max number of clients`)

var (
	// errOldVersion is returned when Redis is too old.
	errOldVersion = errors.New("version 6.2 or newer is needed")
	// errDamaged is returned when a snapshot, or another key of the log, is incomplete or
	// was altered.
	errDamaged = errors.New("redislog: damaged data")
)

// isPermanent reports whether an error remains until somebody changes a setting, a right
// or the data. Redis may forbid any command for any reason, so an unknown error reply
// counts as permanent.
func isPermanent(err error) bool {
	if _, isUntrusted := errors.AsType[*tls.CertificateVerificationError](err); isUntrusted {
		return true
	}
	return isDataError(err) || errors.Is(err, errOldVersion) || isUnknownMasterName(err) ||
		isErrorReply(err) && !temporaryReplies.MatchString(err.Error())
}

// isDataError reports whether the stored log cannot be read.
func isDataError(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, presence.ErrNewerVersion)
}

// isUnknownMasterName reports whether the Sentinels monitor no primary of that name. The
// client wraps their empty replies.
func isUnknownMasterName(err error) bool {
	return errors.Is(err, redis.Nil) && strings.Contains(err.Error(), "sentinel")
}

// hints explain permanent errors, by a part of their text.
var hints = []struct{ text, hint string }{
	{"WRONGTYPE", "another application uses a key with this prefix, set another redis.prefix"},
	{"cluster support disabled", "several redis.addrs are a Cluster, and this is none: give one address"},
	{"'cluster", "the user of a Cluster needs the right +cluster|slots"},
}

// withHint adds to a permanent error how to solve it.
func (l *Log) withHint(err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("redis: the list cannot be read: %w (to begin with the list of the running nodes, or with an empty one, delete the key %s)", err, l.keys.snapshots)
	}
	if isUnknownMasterName(err) {
		return errors.New("redis: the Sentinels know no redis.master_name of this name")
	}
	for _, h := range hints {
		if strings.Contains(err.Error(), h.text) {
			return fmt.Errorf("redis: %s: %w", h.hint, err)
		}
	}
	return fmt.Errorf("redis: %w", err)
}
