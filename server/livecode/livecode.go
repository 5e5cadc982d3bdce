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

// Template makes the live codes (直播码) of this deployment. It does not change.
type Template struct {
	bizid    string
	template string
	hashKey  []byte // the HMAC key of {anchor_hash}
}

// NewTemplate returns the configured template.
func NewTemplate(cfg *config.Config) Template {
	return Template{cfg.BizID, cfg.Code, []byte(cfg.CodeKey.Reveal())}
}

// MaxLength is the maximum length of a live code, in bytes.
const MaxLength = 128

// Code is the live code of a session: the template filled in, or the bizid with the overrideSuffix
// if one is given. An error that names the anchor or the overrideSuffix is returned when the result
// is not a valid live code.
func (t Template) Code(anchor, overrideSuffix string, session presence.Session) (code string, err error) {
	if overrideSuffix != "" {
		code = t.bizid + "_" + overrideSuffix
		if !IsValid(code) {
			return "", fmt.Errorf("suffix %q: a live code must be at most %d of A-Z a-z 0-9 _ -", overrideSuffix, MaxLength)
		}
		return code, nil
	}
	code = strings.NewReplacer(
		"{bizid}", t.bizid,
		"{anchor}", anchor,
		"{anchor_hash}", t.anchorHash(anchor),
		"{session}", session.String(),
	).Replace(t.template)
	if !IsValid(code) || !strings.HasPrefix(code, t.bizid+"_") {
		return "", fmt.Errorf("user id %q does not fit the live code template %q: "+
			"a live code must be at most %d of A-Z a-z 0-9 _ -", anchor, t.template, MaxLength)
	}
	return code, nil
}

// anchorHash is 20 base32 characters (100 bits) of an HMAC of the user id, for deployments
// with user ids that are secret or invalid in a code.
func (t Template) anchorHash(anchor string) string {
	mac := hmac.New(sha256.New, t.hashKey)
	mac.Write([]byte(anchor))
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:20])
}

// IsPerSession reports whether each session has its own code.
func (t Template) IsPerSession() bool { return strings.Contains(t.template, "{session}") }

// IsOwnCode reports whether a text is a valid live code with the bizid of this deployment.
func (t Template) IsOwnCode(code string) bool {
	return IsValid(code) && strings.HasPrefix(code, t.bizid+"_")
}

// OriginalCodeOrEmpty is the live code of the stream that is transcoded under a name, "" when the
// name is not that of a transcoded stream. suffixes has the suffix of each transcoding
// template.
func (t Template) OriginalCodeOrEmpty(transcodedName string, suffixes map[string]string) (code string) {
	for _, suffix := range suffixes {
		if code, hasSuffix := strings.CutSuffix(transcodedName, "_"+suffix); hasSuffix && t.IsOwnCode(code) {
			return code
		}
	}
	return ""
}

// IsValid reports whether a text is a live code: 1 to MaxLength of A-Z a-z 0-9 _ -.
func IsValid(text string) bool {
	return len(text) <= MaxLength && signing.IsName(text)
}
