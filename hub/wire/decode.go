package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// DecodeAnchorRequest decodes what an anchor sent: *Auth, *Start, *Resume, *Beat,
// *Update, *PushRequest or *Stop, each of them valid. Every error is an
// [*Error] with CodeBadRequest, and with the message's id where it has one.
func DecodeAnchorRequest(data []byte) (Message, error) { return decodeRequest(data, anchorRequest) }

// DecodeViewerRequest decodes what a viewer sent: *Auth, *Subscribe, *Unsubscribe,
// *Watch, *Unwatch or *Like. Its errors are as those of [DecodeAnchorRequest].
func DecodeViewerRequest(data []byte) (Message, error) { return decodeRequest(data, viewerRequest) }

// DecodeRequestBody decodes a request of either socket whose type is known from
// elsewhere: the body of an HTTP call, which needs no "type". Its errors are
// as those of [DecodeAnchorRequest].
func DecodeRequestBody(typ string, data []byte) (Message, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, refusal("", fault)
	}
	m := anchorRequest(typ, f)
	if m == nil {
		m = viewerRequest(typ, f)
	}
	return checked(m, typ, f)
}

// DecodeServerMessage decodes what the server sent, on either socket. A type that
// this package does not know gives [*Unknown] and no error. The message
// "error" is returned as a message ([*Error]); err is about the frame itself,
// which no server of this version should have sent.
func DecodeServerMessage(data []byte) (Message, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, badFrame("", fault)
	}
	typ := readType(f)
	m := anchorFrame(typ, f)
	if m == nil {
		m = viewerFrame(typ, f)
	}
	if f.fault != "" {
		return nil, badFrame(typ, f.fault)
	}
	if m == nil {
		return &Unknown{ID: f.id, Type: typ}, nil
	}
	return m, nil
}

// open checks that data is one JSON object and reads its id. A fault in the
// id is left in the fields.
func open(data []byte) (f *fields, fault string) {
	switch {
	case !utf8.Valid(data):
		return nil, "the message is not valid UTF-8"
	case !json.Valid(data):
		return nil, "the message is not one JSON value and nothing else"
	}
	data = bytes.TrimLeft(data, " \t\r\n")
	if !isObject(data) {
		return nil, "the message is not a JSON object"
	}
	f = newFields(data)
	id := ID(f.raw("id"))
	if f.fault == "" && id != "" && !id.valid() {
		f.fail("id", "must be a string or an integer, of at most 64 bytes of JSON")
	}
	if f.fault == "" {
		f.id = id
	}
	return f, ""
}

func readType(f *fields) string {
	typ := f.text("type")
	if typ == "" {
		f.fail("type", "is required")
	}
	return typ
}

func decodeRequest(data []byte, read func(typ string, f *fields) Message) (Message, error) {
	f, fault := open(data)
	if fault != "" {
		return nil, refusal("", fault)
	}
	typ := readType(f)
	return checked(read(typ, f), typ, f)
}

// checked returns m unless something is wrong with it.
func checked(m Message, typ string, f *fields) (Message, error) {
	if f.fault != "" {
		return nil, refusal(f.id, f.fault)
	}
	if m == nil {
		return nil, refusal(f.id, fmt.Sprintf("type %.64q is not a request of this socket", typ))
	}
	if v, ok := m.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// anchorRequest decodes a request of the anchor socket; nil is not one.
func anchorRequest(typ string, f *fields) Message {
	switch typ {
	case TypeAuth:
		return decodeAuth(f)
	case TypeStart:
		return decodeStart(f)
	case TypeResume:
		return &Resume{ID: f.id, Session: f.text("session")}
	case TypeBeat:
		return decodeBeat(f)
	case TypeUpdate:
		return decodeUpdate(f)
	case TypePush:
		return &PushRequest{ID: f.id}
	case TypeStop:
		return &Stop{ID: f.id}
	}
	return nil
}

// viewerRequest decodes a request of the viewer socket; nil is not one.
func viewerRequest(typ string, f *fields) Message {
	switch typ {
	case TypeAuth:
		return decodeAuth(f)
	case TypeSubscribe:
		return decodeSubscribe(f)
	case TypeUnsubscribe:
		return &Unsubscribe{ID: f.id, View: f.text("view")}
	case TypeWatch:
		return &Watch{ID: f.id, Code: f.text("code"), Play: f.texts("play")}
	case TypeUnwatch:
		return &Unwatch{ID: f.id, Code: f.text("code")}
	case TypeLike:
		return &Like{ID: f.id, Code: f.text("code"), N: int(f.integer("n"))}
	}
	return nil
}

// anchorFrame decodes a frame of the anchor socket or of both; nil is not one.
func anchorFrame(typ string, f *fields) Message {
	switch typ {
	case TypeWelcome:
		return decodeWelcome(f)
	case TypeAuthenticated:
		return &Authenticated{ID: f.id, Sub: f.text("sub"), Role: f.text("role"), ExpiresAt: f.integer("expires_at")}
	case TypeTokenExpiring:
		return &TokenExpiring{ExpiresAt: f.integer("expires_at")}
	case TypeDrain:
		return &Drain{ReconnectInMS: f.integer("reconnect_in_ms")}
	case TypeError:
		return decodeError(f)
	case TypeStarted:
		return &Started{
			ID: f.id, Stream: f.entry("stream"), Session: f.text("session"), Push: f.push("push"),
			HeartbeatMS: f.integer("heartbeat_ms"), MissedLimit: int(f.integer("missed_limit")),
		}
	case TypeAck:
		return decodeAck(f)
	case TypeUpdated:
		return &Updated{ID: f.id, Stream: f.entry("stream")}
	case TypePush:
		return &Pushed{ID: f.id, Push: f.push("push")}
	case TypeStopped:
		return decodeStopped(f)
	case TypeEnded:
		return &Ended{Reason: f.text("reason"), Summary: f.summary("summary")}
	case TypeSettings:
		return &Settings{HeartbeatMS: f.integer("heartbeat_ms")}
	case TypeNotice:
		return &Notice{Code: f.text("code"), Message: f.text("message")}
	case TypeProbe:
		return &Probe{}
	}
	return nil
}

// viewerFrame decodes a frame of the viewer socket alone; nil is not one.
func viewerFrame(typ string, f *fields) Message {
	switch typ {
	case TypeSnapshot:
		return decodeSnapshot(f)
	case TypeDiff:
		return decodeDiff(f)
	case TypeUnsubscribed:
		return &Unsubscribed{ID: f.id, View: f.text("view")}
	case TypeWatching:
		return decodeWatching(f)
	case TypeUnwatched:
		return &Unwatched{ID: f.id, Code: f.text("code")}
	case TypeLiked:
		return &Liked{ID: f.id, Code: f.text("code")}
	case TypePing:
		return &Ping{}
	}
	return nil
}
