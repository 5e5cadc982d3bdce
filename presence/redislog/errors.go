package redislog

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// refused reports whether an error is certain to mean that nothing was written:
// Redis said so, or was not reached. What a script replies as an error, it says
// before it writes.
func refused(err error) bool {
	if isReply(err) {
		return true
	}
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial" || errors.Is(err, redis.ErrPoolTimeout)
}

// isReply reports whether an error is one that Redis replied with.
func isReply(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok && !errors.Is(err, redis.Nil)
}

// hopelessReplies begin what Redis says to those whom waiting does not help.
var hopelessReplies = []string{"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password"}

// errTooOld is returned when Redis lacks what is needed.
var errTooOld = errors.New("redis: version 6.2 or newer is needed")

// hopeless reports whether nothing but a person can help.
func hopeless(err error) bool {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted || errors.Is(err, errTooOld) {
		return true
	}
	return isReply(err) && slices.ContainsFunc(hopelessReplies, func(p string) bool { return strings.Contains(err.Error(), p) })
}
