package wire

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The functions of this file split JSON that json.Valid has accepted, without
// copying. encoding/json is not enough: it ignores the case of names, accepts
// repeated names, and does not distinguish null from an absent member.

func isObject(raw []byte) bool { return raw[0] == '{' }

func isNull(raw []byte) bool { return raw[0] == 'n' }

// isInteger reports whether a JSON value is a number without fraction and
// exponent.
func isInteger(raw string) bool {
	return strings.Trim(strings.TrimPrefix(raw, "-"), "0123456789") == ""
}

// objectMembers yields the unquoted names and the values of a JSON object.
func objectMembers(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := skipSpace(object, 1); object[i] != '}'; {
			colon := endOfValue(object, i)
			name := object[i:colon]
			start := skipSpace(object, skipSpace(object, colon)+1)
			end := endOfValue(object, start)
			if !yield(unquote(name), object[start:end]) {
				return
			}
			i = skipSpace(object, end)
			if object[i] == ',' {
				i = skipSpace(object, i+1)
			}
		}
	}
}

// arrayElements yields the values of a JSON array.
func arrayElements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		for i := skipSpace(array, 1); array[i] != ']'; {
			end := endOfValue(array, i)
			if !yield(array[i:end]) {
				return
			}
			i = skipSpace(array, end)
			if array[i] == ',' {
				i = skipSpace(array, i+1)
			}
		}
	}
}

// skipSpace returns the index of the first byte at or after i that is not a
// space.
func skipSpace(b []byte, i int) (next int) {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// endOfValue returns the index after the value that starts at i. The other end
// functions do so for one kind of value.
func endOfValue(b []byte, i int) (end int) {
	switch b[i] {
	case '"':
		return endOfString(b, i)
	case '{', '[':
		return endOfNested(b, i)
	}
	if n := bytes.IndexAny(b[i:], ",]} \t\n\r"); n >= 0 {
		return i + n
	}
	return len(b)
}

func endOfString(b []byte, i int) (end int) {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func endOfNested(b []byte, i int) (end int) {
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = endOfString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// unquote returns the content of a JSON string. It copies only if there are
// escapes.
func unquote(raw []byte) []byte {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return text
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return text // unreachable: raw is a valid JSON string
	}
	return []byte(s)
}

// parseText reads a JSON string.
func parseText(raw []byte) (s string, ok bool) {
	if raw[0] != '"' {
		return "", false
	}
	return string(unquote(raw)), true
}

func parseInteger(raw []byte) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

func parseNumber(raw []byte) (n float64, ok bool) {
	n, err := strconv.ParseFloat(string(raw), 64)
	return n, err == nil
}

func parseBool(raw []byte) (value, ok bool) {
	value = raw[0] == 't'
	return value, value || raw[0] == 'f'
}

// parseTexts reads a JSON array of strings. The result is never nil.
func parseTexts(raw []byte) (list []string, ok bool) {
	if raw[0] != '[' {
		return nil, false
	}
	list = []string{}
	for value := range arrayElements(raw) {
		s, ok := parseText(value)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// compact returns a copy of raw without spaces between tokens, which fits on
// one line.
func compact(raw []byte) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return bytes.Clone(raw) // unreachable: raw is valid JSON
	}
	return bytes.ToValidUTF8(b.Bytes(), []byte("\uFFFD"))
}
