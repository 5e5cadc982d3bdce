// Command demo shows onair at work with a real media server: an anchor that
// pushes with ffmpeg to nginx-rtmp, a viewer that sees the list, and what goes
// wrong in a broadcast's life. It ends by itself in about a minute, and leaves
// nothing behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// longest bounds the whole demo, should anything hang.
const longest = 4 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := defaults()
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&set.Onair, "onair", set.Onair, "the onair `binary`")
	flags.StringVar(&set.Nginx, "nginx", set.Nginx, "nginx with the RTMP module")
	flags.StringVar(&set.FFmpeg, "ffmpeg", set.FFmpeg, "the encoder")
	flags.StringVar(&set.FFprobe, "ffprobe", set.FFprobe, "the player")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()

	set.Out = stdout
	st, err := raise(ctx, set)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	defer st.end()
	all := tell(ctx, st)
	st.say("")
	switch {
	case all:
		st.say("All of it was seen.")
		return 0
	case ctx.Err() != nil:
		st.say("Interrupted.")
		return 1
	}
	st.say("Not all of it was seen. What the programs said at the end:")
	st.logs(stderr, 30)
	return 1
}
