package cloud

import (
	"context"
	"errors"
	"strings"
	"time"
)

// maxForbid is the longest ban of pushes, less the tolerated difference of clocks.
const maxForbid = 90*24*time.Hour - 5*time.Minute

// maxForbidReason bounds a reason, in bytes.
const maxForbidReason = 512

// CutPush ends the push of a stream by DropLiveStream, if there is one:
// https://www.tencentcloud.com/document/product/267/30794. A new push may begin at once.
func (t *Tencent) CutPush(ctx context.Context, code string) error {
	return ignoreNotFound(t.callAPI(ctx, t.live, "DropLiveStream", t.streamID(code), nil))
}

// ForbidPush ends the push of a stream and forbids new ones until a time, by
// ForbidLiveStream: https://www.tencentcloud.com/document/product/267/30800. The zero time
// and later times are replaced by the provider's maximum of 90 days; for longer bans, call
// it again. A time in the past is an error.
//
// The provider identifies the stream by its name only, and forbids it on all domains.
func (t *Tencent) ForbidPush(ctx context.Context, code string, until time.Time, reason string) error {
	now := time.Now()
	if !until.IsZero() && !until.After(now) {
		return errors.New("cloud: tencent: the end of a ban must be in the future")
	}
	if latest := now.Add(maxForbid); until.IsZero() || until.After(latest) {
		until = latest
	}
	if len(reason) > maxForbidReason {
		reason = strings.ToValidUTF8(reason[:maxForbidReason], "")
	}
	return t.callAPI(ctx, t.live, "ForbidLiveStream", struct {
		tencentStreamID
		ResumeTime string
		Reason     string `json:",omitempty"`
	}{t.streamID(code), until.UTC().Format(time.RFC3339), reason}, nil)
}

// AllowPush undoes ForbidPush by ResumeLiveStream. It does nothing if pushes are not
// forbidden.
func (t *Tencent) AllowPush(ctx context.Context, code string) error {
	return ignoreNotFound(t.callAPI(ctx, t.live, "ResumeLiveStream", t.streamID(code), nil))
}

// ignoreNotFound returns nil for API errors about a missing stream or ban, otherwise err.
func ignoreNotFound(err error) error {
	apiErr, ok := errors.AsType[*apiError](err)
	if ok && (apiErr.code == "FailedOperation.StreamNotExist" || apiErr.code == "ResourceUnavailable.StreamNotExist" || strings.HasPrefix(apiErr.code, "ResourceNotFound")) {
		return nil
	}
	return err
}
