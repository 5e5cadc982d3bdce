package webhooks

import (
	"net/http"
	"strings"
	"time"
)

// maxPause bounds the pause that a back end can request.
const maxPause = time.Hour

// parseRetryAfter parses the header Retry-After (RFC 9110 §10.2.3): seconds, or a date. It
// returns a time from 0 to an hour; 0 for the past and for anything else.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), maxPause)
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
