package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far the run is, on a terminal; elsewhere nothing.
type progress struct {
	bar     *progressbar.ProgressBar
	isShown bool
	w       io.Writer
}

// newProgress is for a run that takes about so long.
func newProgress(w io.Writer, whole time.Duration) *progress {
	shown := false
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		shown = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &progress{bar: progressbar.NewOptions64(int64(whole/time.Second),
		progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(shown), progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
	), isShown: shown, w: w}
}

// update is called once a second. A bar that cannot be drawn is no reason to end.
func (p *progress) update(phase string, at time.Duration, s sample) {
	p.bar.Describe(fmt.Sprintf("%-7s %6d viewers %5d anchors %7d diffs/s  p99 %4.0f ms", phase, s.Viewers, s.Anchors, s.Diffs, Milliseconds(s.P99)))
	_ = p.bar.Set64(min(int64(at/time.Second), p.bar.GetMax64()-1))
}

// announce tells what the bar would show, where there is none: whoever restarts
// servers meanwhile waits for it.
func (p *progress) announce(what string) {
	if !p.isShown {
		fmt.Fprintln(p.w, "loadtest:", what)
	}
}

func (p *progress) finish() { _ = p.bar.Finish() }
