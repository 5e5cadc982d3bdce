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
	client  *rateLimitedClient
	app     string
	baseURL func() string // a URL, which may hold a password: nothing that prints values looks into a function
}

// NewSRS returns a client of the API at a URL, such as http://127.0.0.1:1985, in which
// a user and password may stand, for pushes to an application. It returns an error
// when the URL is none.
func NewSRS(link, app string, o Options) (*SRS, error) {
	base, err := parseBaseURL(link)
	if err != nil {
		return nil, fmt.Errorf("cloud: srs: %w", err)
	}
	return &SRS{newClient(o), app, func() string { return base }}, nil
}

// parseBaseURL checks a URL to whose path more is added.
func parseBaseURL(link string) (string, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("its URL is none")
	}
	return strings.TrimSuffix(link, "/"), nil
}

// srsStream is a stream as the API describes it.
type srsStream struct {
	ID      numberOrString
	Name    string
	App     string
	Publish struct {
		Active bool
		CID    numberOrString // a number before version 4
	}
}

// srsPageSize is how many streams are asked for at once.
const srsPageSize = 1000

// forEachPushedStream gives every stream of the application that is pushed. A page may have less
// than was asked for, and a server that knows no pages gives the same one again: the
// list ends with a page that has nothing new.
func (s *SRS) forEachPushedStream(ctx context.Context, each func(srsStream)) error {
	known := map[numberOrString]bool{}
	for start := 0; ; {
		status, answer, err := s.client.get(ctx, http.MethodGet, s.baseURL()+"/api/v1/streams/?start="+strconv.Itoa(start)+"&count="+strconv.Itoa(srsPageSize))
		if err == nil {
			err = checkStatus(status)
		}
		if err != nil {
			return err
		}
		page, err := decodeSRSStreams(answer)
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

// decodeSRSStreams reads one page.
func decodeSRSStreams(answer []byte) ([]srsStream, error) {
	var reply struct {
		Code    *int
		Streams []srsStream
	}
	switch {
	case json.Unmarshal(answer, &reply) != nil, reply.Code == nil:
		return nil, errMalformed
	case *reply.Code != 0:
		return nil, &apiError{"streams", strconv.Itoa(*reply.Code)}
	}
	for _, st := range reply.Streams {
		if st.ID == "" || st.Name == "" {
			return nil, errMalformed
		}
	}
	return reply.Streams, nil
}

// ForEachOnline names every stream that is pushed. After an error, what it has named is
// online all the same.
func (s *SRS) ForEachOnline(ctx context.Context, each func(code string)) error {
	return s.forEachPushedStream(ctx, func(st srsStream) { each(st.Name) })
}

// CutPush ends the push of a stream, which may begin again at once: who may push is for
// the server's hook to say. When there is none, nothing is to be done.
func (s *SRS) CutPush(ctx context.Context, code string) error {
	var clients []numberOrString
	err := s.forEachPushedStream(ctx, func(st srsStream) {
		if st.Name == code {
			clients = append(clients, st.Publish.CID)
		}
	})
	if err != nil {
		return err
	}
	for _, id := range clients {
		if err := s.disconnectClient(ctx, string(id)); err != nil {
			return err
		}
	}
	return nil
}

// srsNoSuchClient is the API's code for a client that there is not, or no longer.
const srsNoSuchClient = 2049

func (s *SRS) disconnectClient(ctx context.Context, client string) error {
	if client == "" {
		return errMalformed
	}
	status, answer, err := s.client.get(ctx, http.MethodDelete, s.baseURL()+"/api/v1/clients/"+url.PathEscape(client))
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
	case *reply.Code != 0 && *reply.Code != srsNoSuchClient:
		return &apiError{"clients", strconv.Itoa(*reply.Code)}
	}
	return nil
}

// ForbidPush is Cut: that no other push begins is for the server's hook to say.
func (s *SRS) ForbidPush(ctx context.Context, code string, _ time.Time, _ string) error {
	return s.CutPush(ctx, code)
}

// AllowPush does nothing: the server's hook is asked about each push.
func (s *SRS) AllowPush(context.Context, string) error { return nil }
