package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"onair/deploy/program"
)

// longestPush bounds every push, should nobody end it.
const longestPush = 90 * time.Second

// push lets ffmpeg push a test picture with sound. Options of the output go
// before its URL.
func (st *stage) push(url string, options ...string) (*program.Program, error) {
	args := []string{
		"-nostdin", "-hide_banner", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc=size=160x120:rate=10",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=22050",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-pix_fmt", "yuv420p", "-b:v", "80k",
		"-c:a", "aac", "-b:a", "32k", "-threads", "1",
		"-t", fmt.Sprint(longestPush.Seconds()),
	}
	args = append(append(args, options...), "-f", "flv", url)
	return st.spawn("ffmpeg", exec.Command(st.set.FFmpeg, args...))
}

// refused pushes and expects the media server not to take it. Its error is nil
// when it was refused.
func (st *stage) refused(ctx context.Context, url string, options ...string) error {
	c, err := st.push(url, options...)
	if err != nil {
		return err
	}
	defer c.Kill()
	return cut(ctx, c)
}

// errGoesOn is why a push that should have been cut is waited for no longer.
var errGoesOn = errors.New("it should have been cut by now")

// cut expects a push to be ended by the media server.
func cut(ctx context.Context, push *program.Program) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errGoesOn)
	defer cancel()
	code, err := push.AwaitExit(ctx)
	if err == nil && code == 0 {
		return errors.New("ffmpeg ended as if all was well")
	}
	return err
}

// picture has ffprobe decode a few frames of video from a play URL, and tells
// what they look like. A player that finds nothing yet is started again: the
// first segments of HLS take some seconds.
func (st *stage) picture(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longestStep, fmt.Errorf("no picture at %s", url))
	defer cancel()
	for {
		seen, err := st.probe(ctx, url)
		if err == nil {
			return seen, nil
		}
		again := time.NewTimer(300 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return "", fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

func (st *stage) probe(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 12*time.Second) // a dead stream would hold it forever
	defer cancel()
	cmd := exec.CommandContext(
		ctx, st.set.FFprobe, "-hide_banner", "-loglevel", "error", "-analyzeduration", "2000000",
		"-select_streams", "v", "-count_frames", "-read_intervals", "%+#5",
		"-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "default=noprint_wrappers=1:nokey=1", url,
	)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ffprobe: %w", err)
	}
	var codec string
	var width, height, frames int
	if _, err := fmt.Sscan(string(out), &codec, &width, &height, &frames); err != nil || frames == 0 {
		return "", fmt.Errorf("ffprobe sees no video: %q", strings.Fields(string(out)))
	}
	return fmt.Sprintf("%s %d×%d", codec, width, height), nil
}
