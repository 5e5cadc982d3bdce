// Command demo shows onair with a real media server: an anchor that pushes with ffmpeg to
// nginx-rtmp, a viewer of the list, and the faults in a broadcast's life. It takes about a
// minute, and leaves no process or file behind.
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

// totalTimeout bounds the demo.
const totalTimeout = 4 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the demo.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (exitCode int) {
	config := defaultSettings()
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&config.Onair, "onair", config.Onair, "path of the onair `binary`")
	flags.StringVar(&config.Nginx, "nginx", config.Nginx, "nginx with the RTMP module, the media server")
	flags.StringVar(&config.FFmpeg, "ffmpeg", config.FFmpeg, "ffmpeg, the encoder")
	flags.StringVar(&config.FFprobe, "ffprobe", config.FFprobe, "ffprobe, the player")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()

	config.Out = stdout
	env, err := startEnvironment(ctx, config)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	defer env.stop()
	passed := runScenario(ctx, env)
	env.printf("")
	switch {
	case passed:
		env.printf("All steps passed.")
		return 0
	case ctx.Err() != nil:
		env.printf("Interrupted.")
		return 1
	}
	env.printf("A step failed. The programs' last output:")
	env.printLogs(stderr, 30)
	return 1
}
