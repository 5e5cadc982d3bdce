package hooks

import (
	"path"
	"strconv"
	"strings"

	"onair/presence"
)

// newFileRecording returns a recording that is identified by its path, or ErrMalformed
// if that is no path.
func newFileRecording(provider, code, file string) (presence.Recording, error) {
	if !isPrintableLocation(file) {
		return presence.Recording{}, ErrMalformed
	}
	return newRecording(provider, code, file, file), nil
}

// newRecording returns a recording that is identified by the provider's name for it.
func newRecording(provider, code, name, location string) presence.Recording {
	return presence.Recording{
		ID: presence.RecordingID(provider, name), Provider: provider, Code: code, Location: location,
		Format: knownFormatOfFile(location), StartedAt: startTimeFromFileName(location, code),
	}
}

// knownFormatOfFile returns the format of a file, or "" if its extension is unknown.
func knownFormatOfFile(file string) string {
	switch extension := strings.ToLower(strings.TrimPrefix(path.Ext(file), ".")); extension {
	case "flv", "mp4", "m4a", "aac", "ts", "fmp4":
		return extension
	case "m3u8":
		return "hls"
	}
	return ""
}

// startTimeFromFileName returns the start of a recording in Unix milliseconds if its file
// has the default name of nginx-rtmp (CODE-SECONDS) or SRS (CODE.MILLISECONDS), or 0.
func startTimeFromFileName(file, code string) (unixMillis int64) {
	name := path.Base(file)
	suffix, ok := strings.CutPrefix(strings.TrimSuffix(name, path.Ext(name)), code)
	if !ok || suffix == "" || !isDigits(suffix[1:]) {
		return 0
	}
	n, _ := strconv.ParseInt(suffix[1:], 10, 64) // digits; the length is checked below
	switch {
	case suffix[0] == '-' && len(suffix) == 1+10:
		return n * 1000
	case suffix[0] == '.' && len(suffix) == 1+13:
		return n
	}
	return 0
}
