package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"
)

// messageTypes are the messages that one side may send, by type.
type messageTypes map[string]reflect.Type

var (
	anchorRequestTypes = newMessageTypes(commonRequests, anchorRequests)
	viewerRequestTypes = newMessageTypes(commonRequests, viewerRequests)
	serverMessageTypes = newMessageTypes(commonServerMessages, anchorServerMessages, viewerServerMessages)
)

func newMessageTypes(messages ...[]Message) messageTypes {
	types := messageTypes{}
	for _, m := range slices.Concat(messages...) {
		typ, _ := Head(m)
		types[typ] = reflect.TypeOf(m).Elem()
	}
	return types
}

// newMessage returns an empty message, or nil if the type is unknown.
func (types messageTypes) newMessage(typ string) Message {
	if t, ok := types[typ]; ok {
		return reflect.New(t).Interface().(Message)
	}
	return nil
}

// EmptyMessages returns an empty message of each type except [Unknown]. They must not be
// changed.
func EmptyMessages() []Message {
	return slices.Concat(
		commonRequests, anchorRequests, viewerRequests, commonServerMessages, anchorServerMessages, viewerServerMessages,
	)
}

// DecodeAnchorRequest decodes a valid request of an anchor. Every error is an [*Error]
// with CodeBadRequest, and with the message's id if it has one.
func DecodeAnchorRequest(data []byte) (Message, error) {
	return decodeRequest(data, anchorRequestTypes)
}

// DecodeViewerRequest decodes a valid request of a viewer. Its errors are those of
// [DecodeAnchorRequest].
func DecodeViewerRequest(data []byte) (Message, error) {
	return decodeRequest(data, viewerRequestTypes)
}

// DecodeRequestBody decodes the body of an HTTP call as a request of the given
// type, of either socket. Its errors are those of [DecodeAnchorRequest].
func DecodeRequestBody(typ string, body []byte) (Message, error) {
	m := anchorRequestTypes.newMessage(typ)
	if m == nil {
		m = viewerRequestTypes.newMessage(typ)
	}
	return readRequest(newMessageReader(body), typ, m)
}

// DecodeServerMessage decodes a message of the server, on either socket. A type
// that this package does not know gives [*Unknown] and no error. The message
// "error" is returned as a message ([*Error]). The error is about a message
// that no server of this version sends.
func DecodeServerMessage(data []byte) (Message, error) {
	c := newMessageReader(data)
	typ := c.readType()
	m := serverMessageTypes.newMessage(typ)
	if m == nil {
		m = &Unknown{Type: typ}
	}
	if c.readMessage(m); c.fault != "" {
		return nil, badFrameError(typ, c.fault)
	}
	return m, nil
}

// newMessageReader reads the id of a message. The codec has a fault if data is not one JSON
// object, or the id is invalid.
func newMessageReader(data []byte) *codec {
	switch {
	case !utf8.Valid(data):
		return &codec{fault: "the message is not valid UTF-8"}
	case !json.Valid(data):
		return &codec{fault: "the message is not one JSON value and nothing else"}
	}
	data = bytes.TrimLeft(data, " \t\r\n")
	if !isObject(data) {
		return &codec{fault: "the message is not a JSON object"}
	}
	c := newObjectReader(data)
	id := ID(c.lookupNonNullMember("id"))
	if c.fault == "" && id != "" && !id.isValid() {
		c.setFault("id", "must be a string or an integer, of at most 64 bytes of JSON")
	}
	if c.fault == "" {
		c.requestID = id
	}
	return c
}

func (c *codec) readType() (typ string) {
	if c.visitText("type", &typ); typ == "" {
		c.setFault("type", "is required")
	}
	return typ
}

// readMessage reads the id and the members of m.
func (c *codec) readMessage(m Message) {
	if _, id := m.header(); id != nil {
		*id = c.requestID
	}
	m.visitMembers(c)
}

func decodeRequest(data []byte, types messageTypes) (Message, error) {
	c := newMessageReader(data)
	typ := c.readType()
	return readRequest(c, typ, types.newMessage(typ))
}

// readRequest reads the members of messageOrNil and validates them. A nil messageOrNil means that the
// type is unknown.
func readRequest(c *codec, typ string, messageOrNil Message) (Message, error) {
	if messageOrNil != nil {
		c.readMessage(messageOrNil)
	}
	if c.fault != "" {
		return nil, badRequestIfFault(c.requestID, c.fault)
	}
	if messageOrNil == nil {
		return nil, badRequestIfFault(c.requestID, fmt.Sprintf("type %.64q is not a request of this socket", typ))
	}
	if v, ok := messageOrNil.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	return messageOrNil, nil
}

// PeekHeader reads the type, the view and the position of a server's message,
// each "" if absent. It stops at the first other member, so it reads only the
// beginning of the message, which must be valid.
func PeekHeader(message []byte) (typ, view, pos string) {
	for name, value := range objectMembers(message) {
		var v *string
		switch string(name) {
		case "type":
			v = &typ
		case "view":
			v = &view
		case "pos":
			v = &pos
		case "id", "prev", "code":
			continue
		default:
			return typ, view, pos
		}
		if *v, _ = parseText(value); v == &pos {
			break
		}
	}
	return typ, view, pos
}
