package main

import (
	"regexp"
	"strings"
	"sync"
)

// patterns find secrets by their looks: those that the server signs or mints
// while the demo runs.
var patterns = regexp.MustCompile(`(txSecret=)[^&\s"']+|(/v1/hooks/[a-z-]+/)[^/\s"']+|(Bearer )\S+|()eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// mask hides secrets in everything that is printed: whoever shows the demo to
// somebody shows no key.
type mask struct {
	mu    sync.Mutex
	known []string
}

// hide adds a text that is to be shown nowhere.
func (m *mask) hide(secrets ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = append(m.known, secrets...)
}

// apply replaces every secret.
func (m *mask) apply(text string) string {
	text = patterns.ReplaceAllString(text, "$1$2$3$4…")
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.known {
		text = strings.ReplaceAll(text, s, "…")
	}
	return text
}
