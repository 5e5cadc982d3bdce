package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"onair/presence"
	"onair/signing"
)

// liveCode makes a stream's live code (直播码) from the configured template.
type liveCode struct {
	bizid    string
	template string
	hashKey  []byte // what {anchor_hash} is keyed with
}

// maxCode is the longest live code, in bytes.
const maxCode = 128

// make fills the template for one session, or takes the suffix where there is
// one. It returns an error that names the anchor, or the suffix, when the code
// would not be one.
func (l liveCode) make(anchor, suffix string, s presence.Session) (string, error) {
	if suffix != "" {
		code := l.bizid + "_" + suffix
		if !isCode(code) {
			return "", fmt.Errorf("suffix %q: a live code is at most %d of A-Z a-z 0-9 _ -", suffix, maxCode)
		}
		return code, nil
	}
	code := strings.NewReplacer(
		"{bizid}", l.bizid,
		"{anchor}", anchor,
		"{anchor_hash}", l.hash(anchor),
		"{session}", s.String(),
	).Replace(l.template)
	if !isCode(code) || !strings.HasPrefix(code, l.bizid+"_") {
		return "", fmt.Errorf("user id %q does not fit the live code template %q: "+
			"a live code is at most %d of A-Z a-z 0-9 _ -", anchor, l.template, maxCode)
	}
	return code, nil
}

// hash is 20 base32 characters (100 bits) of an HMAC of the user id, for
// deployments whose user ids must not be seen or cannot stand in a code.
func (l liveCode) hash(anchor string) string {
	m := hmac.New(sha256.New, l.hashKey)
	m.Write([]byte(anchor))
	return strings.ToLower(base32.StdEncoding.EncodeToString(m.Sum(nil))[:20])
}

// ambiguous reports whether a code may end in a hexadecimal digit of the
// anchor's choosing: then a URL signed for one code is also one of another
// code whose expiry has more digits (see signing.EndsInHexDigit).
func (l liveCode) ambiguous() bool {
	return strings.HasSuffix(l.template, "{anchor}") ||
		!strings.HasSuffix(l.template, "}") && signing.EndsInHexDigit(l.template) && strings.Contains(l.template, "{anchor}")
}

// bySession reports whether each session has a code of its own.
func (l liveCode) bySession() bool { return strings.Contains(l.template, "{session}") }

func isCode(s string) bool {
	return s != "" && len(s) <= maxCode && !strings.ContainsFunc(s, notInCode)
}

func notInCode(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}
