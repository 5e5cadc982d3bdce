package livecode

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"onair/presence"
	"onair/server/config"
	"onair/signing"
)

// Template makes live codes (直播码) from the configured template.
type Template struct {
	bizid    string
	template string
	hashKey  []byte // what {anchor_hash} is keyed with
}

// NewTemplate takes the template of a configuration.
func NewTemplate(cfg *config.Config) Template {
	return Template{cfg.BizID, cfg.Code, []byte(cfg.CodeKey.Reveal())}
}

// MaxLength is that of a live code, in bytes.
const MaxLength = 128

// Code fills the template for one session, or takes the suffix where there is
// one. It returns an error that names the anchor, or the suffix, when the code
// would not be one.
func (l Template) Code(anchor, suffix string, s presence.Session) (string, error) {
	if suffix != "" {
		code := l.bizid + "_" + suffix
		if !IsValid(code) {
			return "", fmt.Errorf("suffix %q: a live code is at most %d of A-Z a-z 0-9 _ -", suffix, MaxLength)
		}
		return code, nil
	}
	code := strings.NewReplacer(
		"{bizid}", l.bizid,
		"{anchor}", anchor,
		"{anchor_hash}", l.anchorHash(anchor),
		"{session}", s.String(),
	).Replace(l.template)
	if !IsValid(code) || !strings.HasPrefix(code, l.bizid+"_") {
		return "", fmt.Errorf("user id %q does not fit the live code template %q: "+
			"a live code is at most %d of A-Z a-z 0-9 _ -", anchor, l.template, MaxLength)
	}
	return code, nil
}

// anchorHash is 20 base32 characters (100 bits) of an HMAC of the user id, for
// deployments whose user ids must not be seen or cannot stand in a code.
func (l Template) anchorHash(anchor string) string {
	m := hmac.New(sha256.New, l.hashKey)
	m.Write([]byte(anchor))
	return strings.ToLower(base32.StdEncoding.EncodeToString(m.Sum(nil))[:20])
}

// CanEndInAnchorHexDigit reports whether a code may end in a hexadecimal digit of the
// anchor's choosing: then a URL signed for one code is also one of another
// code whose expiry has more digits (see signing.EndsInHexDigit).
func (l Template) CanEndInAnchorHexDigit() bool {
	return strings.HasSuffix(l.template, "{anchor}") ||
		!strings.HasSuffix(l.template, "}") && signing.EndsInHexDigit(l.template) && strings.Contains(l.template, "{anchor}")
}

// IsPerSession reports whether each session has a code of its own.
func (l Template) IsPerSession() bool { return strings.Contains(l.template, "{session}") }

// IsOwnCode reports whether a live code may be one of this deployment's.
func (l Template) IsOwnCode(code string) bool {
	return IsValid(code) && strings.HasPrefix(code, l.bizid+"_")
}

// OriginalCode returns the live code of which a name is a transcoding by one of
// the templates, which are suffixes by name, or "".
func (l Template) OriginalCode(name string, templates map[string]string) string {
	for _, suffix := range templates {
		if code, ok := strings.CutSuffix(name, "_"+suffix); ok && l.IsOwnCode(code) {
			return code
		}
	}
	return ""
}

// IsValid reports whether a text is a live code: at most 128 of A-Z a-z 0-9 _ -.
func IsValid(s string) bool {
	return s != "" && len(s) <= MaxLength && !strings.ContainsFunc(s, isForbiddenRune)
}

func isForbiddenRune(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}
