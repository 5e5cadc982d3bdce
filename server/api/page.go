package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"strings"
)

//go:embed page.html
var pageTemplate string

// docPage is the data of a page, for HTTP or for the sockets.
type docPage struct {
	Sockets     bool
	Version     string
	Description []paragraph
	Groups      []operationGroup
	Channels    []channel
	Schemas     []schemaView
	Count       int // of operations, or of messages
}

// paragraph is a text with parts in code style.
type paragraph []span

type span struct {
	Text string
	Code bool
}

// operationGroup holds the operations of one tag.
type operationGroup struct {
	Name        string
	Description []paragraph
	Operations  []operation
}

type operation struct {
	ID, Method, Path, Summary, Roles string
	Description                      []paragraph
	Parameters                       []memberView
	Body                             []string // names of schemas
	Responses                        []response
}

type response struct {
	Status      string
	Description []paragraph
	Schemas     []string // names
}

// memberView is a member of a schema, or a parameter of an operation.
type memberView struct {
	Name, Where string
	Required    bool
	Type        string
	Schema      string // name of its schema, if that has members
	Description []paragraph
}

// schemaView is a named object schema.
type schemaView struct {
	Name, Example string
	Description   []paragraph
	Members       []memberView
}

// channel is one socket.
type channel struct {
	Name, Title, Address string
	Description          []paragraph
	Messages             []message
}

// message is a message of a socket.
type message struct {
	schemaView
	Type, Direction, Summary string
	Replies                  []string // names of messages
	IsFirst                  bool     // the first with its name on the page: links lead to it
}

// render returns the page, and the Content-Security-Policy for it.
func (p *docPage) render() (html []byte, securityPolicy string, err error) {
	var out bytes.Buffer
	if err := template.Must(template.New("page").Parse(pageTemplate)).Execute(&out, p); err != nil {
		return nil, "", err
	}
	_, rest, _ := strings.Cut(out.String(), "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return out.Bytes(), "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nil
}
