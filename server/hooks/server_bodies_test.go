package hooks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBodiesOfRealServers parses the callbacks that media servers sent, byte for byte:
// testdata has a folder for each server and version. The names of the files tell the event.
func TestBodiesOfRealServers(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*")
	if err != nil || len(files) < 90 {
		t.Fatalf("%d bodies, %v", len(files), err)
	}
	ownCode := regexp.MustCompile(`^8888_[a-z]+$`)
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		server := filepath.Base(filepath.Dir(file))
		event, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), "-")
		e, err := parseBodyOf(server, event, body)
		want := kindOfFile(file, event)
		if err != nil || e.Kind != want {
			t.Errorf("%s: kind %d, %v; want kind %d", file, e.Kind, err, want)
			continue
		}
		requireValidEvent(t, body, &e)
		if isRecordingPlayer := strings.Contains(file, "of-a-recording"); e.Kind != Ignored && !isRecordingPlayer && (!ownCode.MatchString(e.Code) || e.App != "live") {
			t.Errorf("%s: app %q, code %q", file, e.App, e.Code)
		}
		if e.Kind.RequestsPermission() && !strings.Contains(file, "-refused") && !strings.Contains(e.Query, "txSecret=") {
			t.Errorf("%s: the query is %q", file, e.Query)
		}
	}
}

// parseBodyOf parses a body with the parser of a server.
func parseBodyOf(server, event string, body []byte) (Event, error) {
	switch {
	case strings.HasPrefix(server, "srs"):
		return ParseSRS(body)
	case strings.HasPrefix(server, "mediamtx"):
		return ParseMediaMTX(event, body)
	case strings.HasPrefix(server, "zlmediakit"):
		return ParseZLM(event, body)
	}
	return ParseNginxRTMP(body)
}

// kindOfFile is the kind of the event in a file.
func kindOfFile(file, event string) Kind {
	switch event {
	case "publish", "on_publish":
		return PublishRequest
	case "play", "on_play":
		return PlayRequest
	case "update_publish":
		return PushContinued
	case "available":
		return PushStarted
	case "publish_done", "on_unpublish", "unavailable":
		return PushEnded
	case "record_done", "on_dvr", "record", "on_record_mp4":
		return FileRecorded
	case "auth":
		if strings.Contains(file, "auth-read") {
			return PlayRequest
		}
		return PublishRequest
	case "on_stream_changed":
		if strings.Contains(file, "-end") {
			return PushEnded
		}
		return PushStarted
	}
	return Ignored
}
