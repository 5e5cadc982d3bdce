package main

import (
	"regexp"
	"strings"
	"sync"
)

// secretPatterns match the signatures and tokens that the server creates.
var secretPatterns = regexp.MustCompile(`(txSecret=)[^&\s"']+|(/v1/hooks/[a-z-]+/)[^/\s"']+|(Bearer )\S+|()eyJ[\w-]+\.[\w-]+\.[\w-]+`)

func redactPatterns(text string) string { return secretPatterns.ReplaceAllString(text, "$1$2$3$4…") }

// redactor replaces secrets in all output, so that people can show it.
type redactor struct {
	mu      sync.Mutex
	secrets []string
}

// addSecrets adds texts to redact.
func (r *redactor) addSecrets(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secrets...)
}

func (r *redactor) redact(text string) string {
	text = redactPatterns(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s, "…")
	}
	return text
}
