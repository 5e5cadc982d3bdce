package wire

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of members, in bytes where they bound a string.
const (
	MaxTitleBytes    = 256
	MaxCoverBytes    = 1024
	MaxTags          = 16
	MaxTagBytes      = 64
	MaxExtraBytes    = 1024 // of compact JSON
	MaxKeyBytes      = 64
	MaxListNameBytes = 64
	MaxCodeBytes     = 128
	MaxSources       = 16
	MaxSourceBytes   = 64
	MaxAnchors       = 500
	MaxAnchorBytes   = 256
	MaxPlayProtocols = 16
	MaxProtocolBytes = 16
	MaxPosBytes      = 256
	MaxViewBytes     = 256
	MaxTokenBytes    = 8192
	MaxLikes         = 100 // that one Like may add

	sessionLen = 26         // 16 bytes in base32
	maxCounter = 1<<53 - 1  // what a JavaScript number holds exactly
	maxStat    = 1000000000 // far above any real figure
)

// The check functions return "" or the fault, one sentence that names the
// member. cmp.Or of several is the first fault.

func checkTitle(s string) string {
	switch {
	case len(s) > MaxTitleBytes:
		return fmt.Sprintf("title must be at most %d bytes", MaxTitleBytes)
	case !utf8.ValidString(s):
		return "title must be valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "title must not contain control characters"
	}
	return ""
}

func checkCover(s string) string {
	if len(s) > MaxCoverBytes {
		return fmt.Sprintf("cover must be at most %d bytes", MaxCoverBytes)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || !utf8.ValidString(s) {
		return "cover must be an absolute https URL"
	}
	return ""
}

func checkExtra(raw json.RawMessage) string {
	switch {
	case len(raw) > MaxExtraBytes:
		return fmt.Sprintf("extra must be at most %d bytes of JSON", MaxExtraBytes)
	case !json.Valid(raw) || !isObject(raw):
		return "extra must be an object"
	}
	return ""
}

// checkTexts bounds a list of strings and every string in it.
func checkTexts(name string, list []string, most, longest int) string {
	if len(list) > most {
		return fmt.Sprintf("%s must have at most %d strings", name, most)
	}
	for _, s := range list {
		if s == "" || len(s) > longest || !utf8.ValidString(s) {
			return fmt.Sprintf("each of %s must be from 1 to %d bytes of UTF-8", name, longest)
		}
	}
	return ""
}

func checkTags(tags []string) string { return checkTexts("tags", tags, MaxTags, MaxTagBytes) }

func checkPlay(protocols []string) string {
	if len(protocols) > MaxPlayProtocols {
		return fmt.Sprintf("play must have at most %d strings", MaxPlayProtocols)
	}
	for _, s := range protocols {
		if s == "" || len(s) > MaxProtocolBytes || strings.ContainsFunc(s, notProtocol) {
			return fmt.Sprintf("each of play must be from 1 to %d characters of [a-z0-9_-]", MaxProtocolBytes)
		}
	}
	return ""
}

// checkName checks a short text that is looked up and logged, not shown.
func checkName(name, s string, longest int) string {
	switch {
	case len(s) > longest:
		return fmt.Sprintf("%s must be at most %d bytes", name, longest)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return name + " must be UTF-8 without control characters"
	}
	return ""
}

func checkCode(s string) string {
	if s == "" || len(s) > MaxCodeBytes || strings.ContainsFunc(s, notCode) {
		return fmt.Sprintf("code must be from 1 to %d characters of [A-Za-z0-9_-]", MaxCodeBytes)
	}
	return ""
}

func checkSession(s string) string {
	if len(s) != sessionLen || strings.ContainsFunc(s, notBase32) {
		return fmt.Sprintf("session must be %d characters of [a-z2-7]", sessionLen)
	}
	return ""
}

func checkSessionIf(s string) string {
	if s == "" {
		return ""
	}
	return checkSession(s)
}

func checkRange(name string, n, least, most int64) string {
	if n < least || n > most {
		return fmt.Sprintf("%s must be from %d to %d", name, least, most)
	}
	return ""
}

func checkStat(name string, v float64) string {
	if !(v >= 0 && v <= maxStat) { // NaN is neither
		return fmt.Sprintf("%s must be from 0 to %d", name, maxStat)
	}
	return ""
}

func isLower(r rune) bool { return 'a' <= r && r <= 'z' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func notProtocol(r rune) bool { return !isLower(r) && !isDigit(r) && r != '_' && r != '-' }

func notCode(r rune) bool { return notProtocol(r) && (r < 'A' || r > 'Z') }

func notBase32(r rune) bool { return !isLower(r) && (r < '2' || r > '7') }
