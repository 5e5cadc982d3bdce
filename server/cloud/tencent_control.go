package cloud

import (
	"context"
	"errors"
	"strings"
	"time"
)

// maxForbid is for how long pushes are refused at the most, less what clocks may
// differ by.
const maxForbid = 90*24*time.Hour - 5*time.Minute

// maxForbidReason is how much of a reason is sent, in bytes.
const maxForbidReason = 512

// CutPush ends the push of a stream, which may begin again at once, DropLiveStream:
// https://www.tencentcloud.com/document/product/267/30794. When there is none,
// nothing is to be done.
func (t *Tencent) CutPush(ctx context.Context, code string) error {
	return ignoreNotFound(t.call(ctx, t.live, "DropLiveStream", t.streamName(code), nil))
}

// ForbidPush ends the push of a stream and refuses others until a time, ForbidLiveStream:
// https://www.tencentcloud.com/document/product/267/30800. The zero time, and one
// that is further away than the provider allows, stand for the 90 days that it does:
// who wants it for longer says so again before they are over. A time that has passed
// is an error.
//
// The provider goes by the stream's name alone: it is refused on other domains too.
func (t *Tencent) ForbidPush(ctx context.Context, code string, until time.Time, reason string) error {
	now := time.Now()
	if !until.IsZero() && !until.After(now) {
		return errors.New("cloud: tencent: a stream cannot be forbidden until a time that has passed")
	}
	if latest := now.Add(maxForbid); until.IsZero() || until.After(latest) {
		until = latest
	}
	if len(reason) > maxForbidReason {
		reason = strings.ToValidUTF8(reason[:maxForbidReason], "")
	}
	return t.call(ctx, t.live, "ForbidLiveStream", struct {
		tencentStream
		ResumeTime string
		Reason     string `json:",omitempty"`
	}{t.streamName(code), until.UTC().Format(time.RFC3339), reason}, nil)
}

// AllowPush undoes Forbid, ResumeLiveStream. When nothing is forbidden, nothing is to be
// done.
func (t *Tencent) AllowPush(ctx context.Context, code string) error {
	return ignoreNotFound(t.call(ctx, t.live, "ResumeLiveStream", t.streamName(code), nil))
}

// ignoreNotFound is nil for the refusal of something that there is not.
func ignoreNotFound(err error) error {
	r, refused := errors.AsType[*apiError](err)
	if refused && (r.code == "FailedOperation.StreamNotExist" || r.code == "ResourceUnavailable.StreamNotExist" || strings.HasPrefix(r.code, "ResourceNotFound")) {
		return nil
	}
	return err
}
