package program

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// Locate returns the absolute path of a program. It also looks where some systems install
// nginx, which is only in root's PATH.
func Locate(name string) (string, error) {
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if err != nil && !strings.ContainsRune(name, filepath.Separator) {
			if file, lookErr := exec.LookPath(filepath.Join(dir, name)); lookErr == nil {
				path, err = file, nil
			}
		}
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}
