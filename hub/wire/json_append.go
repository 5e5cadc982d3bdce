package wire

import (
	"strconv"
	"unicode/utf8"
)

// The functions with a name append one member and a comma. closeObject and
// closeArray replace the last comma by the closing bracket. No JSON value ends
// in a comma, so the last byte shows if there was a member.

func appendText(dst []byte, name, v string) []byte {
	return append(AppendJSONString(appendName(dst, name), v), ',')
}

// appendOptionalText appends nothing if v is empty.
func appendOptionalText(dst []byte, name, v string) []byte {
	if v == "" {
		return dst
	}
	return appendText(dst, name, v)
}

func appendInt(dst []byte, name string, v int64) []byte {
	return append(strconv.AppendInt(appendName(dst, name), v, 10), ',')
}

func appendFloat(dst []byte, name string, v float64) []byte {
	format := byte('f')
	if v != 0 && v < 1e-6 || v >= 1e21 {
		format = 'e'
	}
	return append(strconv.AppendFloat(appendName(dst, name), v, format, -1, 64), ',')
}

// appendRaw appends a member whose value is JSON.
func appendRaw[T ~string | ~[]byte](dst []byte, name string, v T) []byte {
	return append(append(appendName(dst, name), v...), ',')
}

func appendTexts(dst []byte, name string, v []string) []byte {
	dst = append(appendName(dst, name), '[')
	for _, s := range v {
		dst = append(AppendJSONString(dst, s), ',')
	}
	return append(closeArray(dst), ',')
}

func appendName(dst []byte, name string) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

func closeObject(dst []byte) []byte { return closeWithBracket(dst, '}') }

func closeArray(dst []byte) []byte { return closeWithBracket(dst, ']') }

func closeWithBracket(dst []byte, bracket byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] == ',' {
		dst[n-1] = bracket
		return dst
	}
	return append(dst, bracket)
}

// AppendJSONString appends s as a JSON string. Each byte that is not UTF-8
// becomes U+FFFD, as in encoding/json. U+2028 and U+2029 are escaped, so that
// the JSON is also JavaScript.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	copied := 0 // s[:copied] is in dst
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				dst = appendEscape(append(dst, s[copied:i]...), c)
				copied = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[copied:i]...), "\uFFFD"...)
			copied = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[copied:i]...), `\u202`...)
			dst = append(dst, hexDigits[r&0xF])
			copied = i + size
		}
		i += size
	}
	dst = append(dst, s[copied:]...)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendEscape appends the escape sequence of an ASCII character.
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
