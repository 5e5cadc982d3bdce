package webhooks

import (
	"net/http"
	"strings"
	"time"
)

// maxPause bounds what a back end may ask for, in the way of a mistake too.
const maxPause = time.Hour

// parseRetryAfter reads the header Retry-After (RFC 9110 §10.2.3): seconds, or a
// date. What is anything else, or has passed, is 0; more than an hour is an hour.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxPause)
	}
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return 0
	}
	var pause time.Duration
	for _, digit := range value {
		if pause = pause*10 + time.Duration(digit-'0')*time.Second; pause >= maxPause {
			return maxPause
		}
	}
	return pause
}
