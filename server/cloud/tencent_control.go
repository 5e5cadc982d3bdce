package cloud

import (
	"context"
	"errors"
	"strings"
	"time"
)

// longestForbid is for how long pushes are refused at the most, less what clocks may
// differ by.
const longestForbid = 90*24*time.Hour - 5*time.Minute

// longestReason is how much of a reason is sent, in bytes.
const longestReason = 512

// Cut ends the push of a stream, which may begin again at once, DropLiveStream:
// https://www.tencentcloud.com/document/product/267/30794. When there is none,
// nothing is to be done.
func (t *Tencent) Cut(ctx context.Context, code string) error {
	return unlessNone(t.call(ctx, t.live, "DropLiveStream", t.stream(code), nil))
}

// Forbid ends the push of a stream and refuses others until a time, ForbidLiveStream:
// https://www.tencentcloud.com/document/product/267/30800. The zero time, and one
// that is further away than the provider allows, stand for the 90 days that it does:
// who wants it for longer says so again before they are over. A time that has passed
// is an error.
//
// The provider goes by the stream's name alone: it is refused on other domains too.
func (t *Tencent) Forbid(ctx context.Context, code string, until time.Time, reason string) error {
	now := time.Now()
	if !until.IsZero() && !until.After(now) {
		return errors.New("cloud: tencent: a stream cannot be forbidden until a time that has passed")
	}
	if latest := now.Add(longestForbid); until.IsZero() || until.After(latest) {
		until = latest
	}
	if len(reason) > longestReason {
		reason = strings.ToValidUTF8(reason[:longestReason], "")
	}
	return t.call(ctx, t.live, "ForbidLiveStream", struct {
		stream
		ResumeTime string
		Reason     string `json:",omitempty"`
	}{t.stream(code), until.UTC().Format(time.RFC3339), reason}, nil)
}

// Allow undoes Forbid, ResumeLiveStream. When nothing is forbidden, nothing is to be
// done.
func (t *Tencent) Allow(ctx context.Context, code string) error {
	return unlessNone(t.call(ctx, t.live, "ResumeLiveStream", t.stream(code), nil))
}

// unlessNone is nil for the refusal of something that there is not.
func unlessNone(err error) error {
	r, refused := errors.AsType[*refusal](err)
	if refused && (r.code == "FailedOperation.StreamNotExist" || r.code == "ResourceUnavailable.StreamNotExist" || strings.HasPrefix(r.code, "ResourceNotFound")) {
		return nil
	}
	return err
}
