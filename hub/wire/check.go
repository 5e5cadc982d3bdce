package wire

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of members.
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
	MaxLikes         = 100 // in one Like

	sessionLen = 26         // 16 bytes in base32
	maxCounter = 1<<53 - 1  // the largest integer that is exact in JavaScript
	maxStat    = 1000000000 // far above any real figure
)

// Each check function returns the fault, a sentence that begins with the
// member's name, or "". cmp.Or returns the first fault of several.

func checkTitle(s string) (fault string) {
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

func checkGivenCover(s string) (fault string) {
	if len(s) > MaxCoverBytes {
		return fmt.Sprintf("cover must be at most %d bytes", MaxCoverBytes)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || !utf8.ValidString(s) {
		return "cover must be an absolute https URL"
	}
	return ""
}

func checkGivenExtra(raw json.RawMessage) (fault string) {
	switch {
	case len(raw) > MaxExtraBytes:
		return fmt.Sprintf("extra must be at most %d bytes of JSON", MaxExtraBytes)
	case !json.Valid(raw) || !isObject(raw):
		return "extra must be an object"
	}
	return ""
}

// checkTexts checks the number of strings and the length of each.
func checkTexts(name string, texts []string, maxTexts, maxBytes int) (fault string) {
	if len(texts) > maxTexts {
		return fmt.Sprintf("%s must have at most %d strings", name, maxTexts)
	}
	for _, s := range texts {
		if s == "" || len(s) > maxBytes || !utf8.ValidString(s) {
			return fmt.Sprintf("each of %s must be from 1 to %d bytes of UTF-8", name, maxBytes)
		}
	}
	return ""
}

func checkTags(tags []string) (fault string) { return checkTexts("tags", tags, MaxTags, MaxTagBytes) }

func checkPlay(protocols []string) (fault string) {
	if len(protocols) > MaxPlayProtocols {
		return fmt.Sprintf("play must have at most %d strings", MaxPlayProtocols)
	}
	for _, s := range protocols {
		if s == "" || len(s) > MaxProtocolBytes || strings.ContainsFunc(s, isNotProtocolChar) {
			return fmt.Sprintf("each of play must be from 1 to %d characters of [a-z0-9_-]", MaxProtocolBytes)
		}
	}
	return ""
}

// checkOptionalName checks a short text that is used as a key and logged.
func checkOptionalName(name, s string, maxBytes int) (fault string) {
	switch {
	case len(s) > maxBytes:
		return fmt.Sprintf("%s must be at most %d bytes", name, maxBytes)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return name + " must be UTF-8 without control characters"
	}
	return ""
}

func checkCode(s string) (fault string) {
	if s == "" || len(s) > MaxCodeBytes || strings.ContainsFunc(s, isNotCodeChar) {
		return fmt.Sprintf("code must be from 1 to %d characters of [A-Za-z0-9_-]", MaxCodeBytes)
	}
	return ""
}

func checkSession(s string) (fault string) {
	if len(s) != sessionLen || strings.ContainsFunc(s, isNotBase32Char) {
		return fmt.Sprintf("session must be %d characters of [a-z2-7]", sessionLen)
	}
	return ""
}

func checkOptionalSession(s string) (fault string) {
	if s == "" {
		return ""
	}
	return checkSession(s)
}

func checkRange(name string, n, lowest, highest int64) (fault string) {
	if n < lowest || n > highest {
		return fmt.Sprintf("%s must be from %d to %d", name, lowest, highest)
	}
	return ""
}

func checkStat(name string, v float64) (fault string) {
	if !(v >= 0 && v <= maxStat) { // NaN fails both
		return fmt.Sprintf("%s must be from 0 to %d", name, maxStat)
	}
	return ""
}

func isLowerLetter(r rune) bool { return 'a' <= r && r <= 'z' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isNotProtocolChar(r rune) bool { return !isLowerLetter(r) && !isDigit(r) && r != '_' && r != '-' }

func isNotCodeChar(r rune) bool { return isNotProtocolChar(r) && (r < 'A' || r > 'Z') }

func isNotBase32Char(r rune) bool { return !isLowerLetter(r) && (r < '2' || r > '7') }
