package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SRS is a client of the HTTP API of one SRS server, of version 3 or later:
// https://ossrs.net/lts/en-us/docs/v6/doc/http-api. It knows streams by application and
// name: those of all virtual hosts are one. There is no query for one stream by its
// name.
type SRS struct {
	// Static after construction.
	line *line
	app  string
	base func() string // a URL, which may hold a password: nothing that prints values looks into a function
}

// NewSRS returns a client of the API at a URL, such as http://127.0.0.1:1985, in which
// a user and password may stand, for pushes to an application. It returns an error
// when the URL is none.
func NewSRS(link, app string, o Options) (*SRS, error) {
	base, err := baseURL(link)
	if err != nil {
		return nil, fmt.Errorf("cloud: srs: %w", err)
	}
	return &SRS{newLine(o), app, func() string { return base }}, nil
}

// baseURL checks a URL to whose path more is added.
func baseURL(link string) (string, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("its URL is none")
	}
	return strings.TrimSuffix(link, "/"), nil
}

// srsStream is a stream as the API describes it.
type srsStream struct {
	ID      scalar
	Name    string
	App     string
	Publish struct {
		Active bool
		CID    scalar // a number before version 4
	}
}

// srsPage is how many streams are asked for at once.
const srsPage = 1000

// streams gives every stream of the application that is pushed. A page may have less
// than was asked for, and a server that knows no pages gives the same one again: the
// list ends with a page that has nothing new.
func (s *SRS) streams(ctx context.Context, each func(srsStream)) error {
	known := map[scalar]bool{}
	for start := 0; ; {
		status, answer, err := s.line.get(ctx, http.MethodGet, s.base()+"/api/v1/streams/?start="+strconv.Itoa(start)+"&count="+strconv.Itoa(srsPage))
		if err == nil {
			err = checkStatus(status)
		}
		if err != nil {
			return err
		}
		page, err := readSRSStreams(answer)
		if err != nil {
			return err
		}
		before := len(known)
		for _, st := range page {
			if known[st.ID] {
				continue
			}
			known[st.ID] = true
			if st.App == s.app && st.Publish.Active {
				each(st)
			}
		}
		if len(known) == before {
			return nil
		}
		start += len(page)
	}
}

// readSRSStreams reads one page.
func readSRSStreams(answer []byte) ([]srsStream, error) {
	var reply struct {
		Code    *int
		Streams []srsStream
	}
	switch {
	case json.Unmarshal(answer, &reply) != nil, reply.Code == nil:
		return nil, errMalformed
	case *reply.Code != 0:
		return nil, &refusal{"streams", strconv.Itoa(*reply.Code)}
	}
	for _, st := range reply.Streams {
		if st.ID == "" || st.Name == "" {
			return nil, errMalformed
		}
	}
	return reply.Streams, nil
}

// Online names every stream that is pushed. After an error, what it has named is
// online all the same.
func (s *SRS) Online(ctx context.Context, each func(code string)) error {
	return s.streams(ctx, func(st srsStream) { each(st.Name) })
}

// Cut ends the push of a stream, which may begin again at once: who may push is for
// the server's hook to say. When there is none, nothing is to be done.
func (s *SRS) Cut(ctx context.Context, code string) error {
	var clients []scalar
	err := s.streams(ctx, func(st srsStream) {
		if st.Name == code {
			clients = append(clients, st.Publish.CID)
		}
	})
	if err != nil {
		return err
	}
	for _, id := range clients {
		if err := s.kick(ctx, string(id)); err != nil {
			return err
		}
	}
	return nil
}

// noClient is the API's code for a client that there is not, or no longer.
const noClient = 2049

func (s *SRS) kick(ctx context.Context, client string) error {
	if client == "" {
		return errMalformed
	}
	status, answer, err := s.line.get(ctx, http.MethodDelete, s.base()+"/api/v1/clients/"+url.PathEscape(client))
	if err != nil || status == http.StatusNotFound {
		return err
	}
	if err := checkStatus(status); err != nil {
		return err
	}
	var reply struct{ Code *int }
	switch {
	case json.Unmarshal(answer, &reply) != nil, reply.Code == nil:
		return errMalformed
	case *reply.Code != 0 && *reply.Code != noClient:
		return &refusal{"clients", strconv.Itoa(*reply.Code)}
	}
	return nil
}

// Forbid is Cut: that no other push begins is for the server's hook to say.
func (s *SRS) Forbid(ctx context.Context, code string, _ time.Time, _ string) error {
	return s.Cut(ctx, code)
}

// Allow does nothing: the server's hook is asked about each push.
func (s *SRS) Allow(context.Context, string) error { return nil }
