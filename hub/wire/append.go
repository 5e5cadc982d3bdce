package wire

import (
	"strconv"
	"unicode/utf8"
)

// The add functions append one member with a comma after it; closeObject and
// closeArray turn the last comma into the closing bracket. No JSON value ends
// in a comma, so the last byte tells whether there was a member.

func addText(dst []byte, name, v string) []byte {
	return append(AppendJSONString(addName(dst, name), v), ',')
}

// addTextIf appends the member unless it is empty.
func addTextIf(dst []byte, name, v string) []byte {
	if v == "" {
		return dst
	}
	return addText(dst, name, v)
}

func addInt(dst []byte, name string, v int64) []byte {
	return append(strconv.AppendInt(addName(dst, name), v, 10), ',')
}

func addFloat(dst []byte, name string, v float64) []byte {
	format := byte('f')
	if v != 0 && v < 1e-6 || v >= 1e21 {
		format = 'e'
	}
	return append(strconv.AppendFloat(addName(dst, name), v, format, -1, 64), ',')
}

// addRaw appends a member whose value is JSON already.
func addRaw[T ~string | ~[]byte](dst []byte, name string, v T) []byte {
	return append(append(addName(dst, name), v...), ',')
}

func addTexts(dst []byte, name string, v []string) []byte {
	return append(appendTexts(addName(dst, name), v), ',')
}

func addName(dst []byte, name string) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

func appendTexts(dst []byte, v []string) []byte {
	dst = append(dst, '[')
	for _, s := range v {
		dst = append(AppendJSONString(dst, s), ',')
	}
	return closeArray(dst)
}

func closeObject(dst []byte) []byte { return closeWith(dst, '}') }

func closeArray(dst []byte) []byte { return closeWith(dst, ']') }

func closeWith(dst []byte, bracket byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] == ',' {
		dst[n-1] = bracket
		return dst
	}
	return append(dst, bracket)
}

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, one for each, as in encoding/json. U+2028 and U+2029 are escaped, so
// that the JSON is JavaScript too.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0 // s[:done] is in dst
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				dst = appendEscape(append(dst, s[done:i]...), c)
				done = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[done:i]...), "\uFFFD"...)
			done = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[done:i]...), `\u202`...)
			dst = append(dst, hexDigits[r&0xF])
			done = i + size
		}
		i += size
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendEscape appends the escape of an ASCII character that needs one.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
}
