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
var hopelessReplies = []string{"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password", wrongType}

// wrongType begins what Redis says of a key that is none of ours.
const wrongType = "WRONGTYPE"

// errTooOld is returned when Redis lacks what is needed.
var errTooOld = errors.New("redis: version 6.2 or newer is needed")

// hopeless reports whether nothing but a person can help.
func hopeless(err error) bool {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted || errors.Is(err, errTooOld) {
		return true
	}
	return isReply(err) && slices.ContainsFunc(hopelessReplies, func(p string) bool { return strings.Contains(err.Error(), p) })
}

// explained adds to what Redis said what can be done about it.
func explained(err error) error {
	if strings.Contains(err.Error(), wrongType) {
		return fmt.Errorf("redis: a key of this prefix is somebody else's, give another redis.prefix: %w", err)
	}
	return fmt.Errorf("redis: %w", err)
}

// waitable hides what an error is from those who would give up for it.
type waitable struct{ text string }

func (w waitable) Error() string { return w.text }

// asWait has a node that serves a list wait whatever Redis says.
func asWait(err error, serves bool) error {
	if err != nil && serves && hopeless(err) {
		return waitable{explained(err).Error()}
	}
	return err
}
