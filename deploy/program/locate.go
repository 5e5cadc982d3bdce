package program

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// Locate finds a program, and makes its path hold in any directory. Some
// systems keep nginx where only root looks.
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
