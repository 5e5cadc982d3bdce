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

// pushTimeout bounds each push.
const pushTimeout = 90 * time.Second

// startEncoder starts ffmpeg with a test video and sound. Output options precede the URL.
func (env *environment) startEncoder(url string, outputOptions ...string) (*program.Program, error) {
	args := []string{
		"-nostdin", "-hide_banner", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc=size=160x120:rate=10",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=22050",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-pix_fmt", "yuv420p", "-b:v", "80k",
		"-c:a", "aac", "-b:a", "32k", "-threads", "1",
		"-t", fmt.Sprint(pushTimeout.Seconds()),
	}
	args = append(append(args, outputOptions...), "-f", "flv", url)
	return env.startProgram("ffmpeg", exec.Command(env.settings.FFmpeg, args...))
}

// expectRefused returns an error when the media server accepts a push.
func (env *environment) expectRefused(ctx context.Context, url string, outputOptions ...string) error {
	p, err := env.startEncoder(url, outputOptions...)
	if err != nil {
		return err
	}
	defer p.Kill()
	return awaitCut(ctx, p)
}

var errNotCut = errors.New("the push was not cut in time")

// awaitCut waits until the media server cuts a push.
func awaitCut(ctx context.Context, push *program.Program) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errNotCut)
	defer cancel()
	code, err := push.AwaitExit(ctx)
	if err == nil && code == 0 {
		return errors.New("ffmpeg ended without an error")
	}
	return err
}

// awaitVideo plays a URL with ffprobe, and returns the format of the video. It retries:
// the first HLS segments take some seconds.
func (env *environment) awaitVideo(ctx context.Context, url string) (format string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, fmt.Errorf("no video at %s", url))
	defer cancel()
	for {
		format, err := env.probeVideo(ctx, url)
		if err == nil {
			return format, nil
		}
		retry := time.NewTimer(300 * time.Millisecond)
		select {
		case <-retry.C:
		case <-ctx.Done():
			retry.Stop()
			return "", fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// probeVideo decodes five frames with ffprobe.
func (env *environment) probeVideo(ctx context.Context, url string) (format string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 12*time.Second) // ffprobe waits forever for a dead stream
	defer cancel()
	cmd := exec.CommandContext(
		ctx, env.settings.FFprobe, "-hide_banner", "-loglevel", "error", "-analyzeduration", "2000000",
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
		return "", fmt.Errorf("ffprobe found no video: %q", strings.Fields(string(out)))
	}
	return fmt.Sprintf("%s %d×%d", codec, width, height), nil
}
