package wire

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// The functions of this file read JSON that json.Valid has accepted, and take
// it apart without copying. encoding/json alone will not do: it matches names
// whatever their case, lets the last of two equal names win, and cannot tell a
// null from nothing.

func isObject(raw []byte) bool { return raw[0] == '{' }

func isNull(raw []byte) bool { return raw[0] == 'n' }

// isInteger tells whether a JSON number has neither fraction nor exponent.
func isInteger(raw string) bool {
	digits := raw
	if digits[0] == '-' {
		digits = digits[1:]
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return digits != ""
}

// members yields the names, unquoted, and the values of a JSON object that
// starts at its first byte.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := next(object, 1); object[i] != '}'; {
			colon := valueEnd(object, i)
			name := object[i:colon]
			start := next(object, next(object, colon)+1)
			end := valueEnd(object, start)
			if !yield(unquote(name), object[start:end]) {
				return
			}
			i = next(object, end)
			if object[i] == ',' {
				i = next(object, i+1)
			}
		}
	}
}

// elements yields the values of a JSON array that starts at its first byte.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		for i := next(array, 1); array[i] != ']'; {
			end := valueEnd(array, i)
			if !yield(array[i:end]) {
				return
			}
			i = next(array, end)
			if array[i] == ',' {
				i = next(array, i+1)
			}
		}
	}
}

// next returns the index of the first byte at or after i that is no space.
func next(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// valueEnd returns the index after the value that starts at i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return nestedEnd(b, i)
	}
	if n := bytes.IndexAny(b[i:], ",]} \t\n\r"); n >= 0 {
		return i + n
	}
	return len(b)
}

func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func nestedEnd(b []byte, i int) int {
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// unquote returns what a JSON string says. It copies only where it must.
func unquote(raw []byte) []byte {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return text
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return text // not reached: raw is a valid JSON string
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

// parseTexts reads a JSON array of strings. The result is never nil.
func parseTexts(raw []byte) (list []string, ok bool) {
	if raw[0] != '[' {
		return nil, false
	}
	list = []string{}
	for value := range elements(raw) {
		s, ok := parseText(value)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// compact returns raw without the spaces between its tokens, so that it fits
// on one line wherever it is repeated.
func compact(raw []byte) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return bytes.Clone(raw) // not reached: raw is valid JSON
	}
	return bytes.ToValidUTF8(b.Bytes(), []byte("\uFFFD"))
}
