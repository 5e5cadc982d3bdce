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

// FindRTMPModule returns the file of nginx's RTMP module, or "" where the module is built
// in. It returns an error where nginx has none.
func FindRTMPModule(ctx context.Context, nginx string) (file string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	version, err := exec.CommandContext(ctx, nginx, "-V").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("nginx -V: %w", err)
	}
	if m := modulesPath.FindSubmatch(version); m != nil {
		file = filepath.Join(string(m[1]), "ngx_rtmp_module.so")
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	if !bytes.Contains(version, []byte("rtmp")) {
		return "", errors.New("nginx has no RTMP module; Debian has it in libnginx-mod-rtmp")
	}
	return "", nil
}
