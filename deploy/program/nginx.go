package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

var modulesPath = regexp.MustCompile(`--modules-path=(\S+)`)

// RTMPModule finds the module's file where this nginx looks for modules. ""
// is none: it may be built in.
func RTMPModule(ctx context.Context, nginx string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	built, err := exec.CommandContext(ctx, nginx, "-V").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("nginx -V: %w", err)
	}
	if m := modulesPath.FindSubmatch(built); m != nil {
		file := filepath.Join(string(m[1]), "ngx_rtmp_module.so")
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	if !bytes.Contains(built, []byte("rtmp")) {
		return "", errors.New("nginx has no RTMP module; Debian has it in libnginx-mod-rtmp")
	}
	return "", nil
}
