package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"onair/loadtest/report"
)

// progress shows a progress bar on a terminal. Elsewhere it writes announcements only.
type progress struct {
	bar        *progressbar.ProgressBar
	isTerminal bool
	w          io.Writer
}

func newProgress(w io.Writer, expected time.Duration) *progress {
	isTerminal := false
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		isTerminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return &progress{bar: progressbar.NewOptions64(int64(expected/time.Second),
		progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(isTerminal), progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
	), isTerminal: isTerminal, w: w}
}

// updateBar redraws the bar, and ignores that it cannot be drawn.
func (p *progress) updateBar(phase string, at time.Duration, s *report.SecondFigures) {
	p.bar.Describe(fmt.Sprintf("%-7s %6d viewers %5d anchors %7d diffs/s  p99 %4.0f ms", phase, s.Viewers, s.Anchors, s.Diffs, s.P99))
	_ = p.bar.Set64(min(int64(at/time.Second), p.bar.GetMax64()-1))
}

// announceUnlessTerminal writes an event for scripts, which may wait for it.
func (p *progress) announceUnlessTerminal(event string) {
	if !p.isTerminal {
		fmt.Fprintln(p.w, "loadtest:", event)
	}
}

func (p *progress) finishBar() { _ = p.bar.Finish() }
