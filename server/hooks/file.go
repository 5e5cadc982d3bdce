package hooks

import (
	"path"
	"strconv"
	"strings"

	"onair/presence"
)

// newRecording is the recording in a file that a provider calls by a name. It is
// known again by that name.
func newRecording(provider, code, name, location string) presence.Recording {
	return presence.Recording{
		ID: presence.RecordingID(provider, name), Provider: provider, Code: code, Location: location,
		Format: formatByExtension(location), StartedAt: startTimeFromName(location, code),
	}
}

// formatByExtension is a file's kind by its ending, "" where that says nothing.
func formatByExtension(file string) string {
	switch ending := strings.ToLower(strings.TrimPrefix(path.Ext(file), ".")); ending {
	case "flv", "mp4", "m4a", "aac", "ts", "fmp4":
		return ending
	case "m3u8":
		return "hls"
	}
	return ""
}

// startTimeFromName is when a file was begun, in Unix milliseconds, where its name says
// that as media servers have it by default: after the stream's, in seconds with
// a dash (nginx-rtmp) or in milliseconds with a dot (SRS). It is 0 otherwise.
func startTimeFromName(file, code string) int64 {
	name := path.Base(file)
	stem, ok := strings.CutPrefix(strings.TrimSuffix(name, path.Ext(name)), code)
	if !ok || stem == "" || !isDigits(stem[1:]) {
		return 0
	}
	n, _ := strconv.ParseInt(stem[1:], 10, 64) // of digits; too many are refused below
	switch {
	case stem[0] == '-' && len(stem) == 1+10:
		return n * 1000
	case stem[0] == '.' && len(stem) == 1+13:
		return n
	}
	return 0
}
