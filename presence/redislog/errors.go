package redislog

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
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

// wrongType is in the reply for a key that another application uses.
const wrongType = "WRONGTYPE"

// permanentReplies are in error replies that remain until somebody changes a setting.
var permanentReplies = []string{"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password", wrongType}

// errOldVersion is returned when Redis is too old.
var errOldVersion = errors.New("redis: version 6.2 or newer is needed")

// isPermanent reports whether retries are useless.
func isPermanent(err error) bool {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted || errors.Is(err, errOldVersion) {
		return true
	}
	return isErrorReply(err) && slices.ContainsFunc(permanentReplies, func(p string) bool { return strings.Contains(err.Error(), p) })
}

// withHint adds to a permanent error how to solve it.
func withHint(err error) error {
	if strings.Contains(err.Error(), wrongType) {
		return fmt.Errorf("redis: another application uses a key with this prefix, set another redis.prefix: %w", err)
	}
	return fmt.Errorf("redis: %w", err)
}

// temporaryIf turns a permanent error into a temporary one for a node that already
// serves a list: such a node waits until Redis accepts it again.
func temporaryIf(servesList bool, err error) error {
	if err != nil && servesList && isPermanent(err) {
		return errors.New(withHint(err).Error()) // without the wrapped error, which isPermanent detects
	}
	return err
}
