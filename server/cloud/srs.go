package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SRS is a client of the HTTP API of one SRS server, version 3 or later:
// https://ossrs.net/lts/en-us/docs/v6/doc/http-api. It identifies streams by application
// and name, and ignores the virtual host. The API has no query for one stream by name.
type SRS struct {
	// Static after construction.
	client  *rateLimitedClient
	app     string
	baseURL func() string // a function, so that no formatting prints its password
}

// NewSRS returns a client for pushes to an application. The base URL of the API, for
// example http://127.0.0.1:1985, may contain a user and a password. An invalid URL is an
// error.
func NewSRS(baseURL, app string, o Options) (*SRS, error) {
	base, err := parseBaseURL(baseURL)
	if err != nil {
		return nil, fmt.Errorf("cloud: srs: %w", err)
	}
	return &SRS{newRateLimitedClient(o), app, func() string { return base }}, nil
}

// parseBaseURL checks a URL, and returns it without a trailing slash.
func parseBaseURL(link string) (string, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("invalid URL")
	}
	return strings.TrimSuffix(link, "/"), nil
}

// srsStream is a stream in a response.
type srsStream struct {
	ID      numberOrString
	Name    string
	App     string
	Publish struct {
		Active bool
		CID    numberOrString // a number before version 4
	}
}

// srsPageSize is the requested number of streams per page.
const srsPageSize = 1000

// forEachPushedStream calls yield with every stream of the application that has a push. A
// page may be shorter than requested, and a server without paging repeats the same page.
// So the list ends with a page that has no new stream.
func (s *SRS) forEachPushedStream(ctx context.Context, yield func(srsStream)) error {
	known := map[numberOrString]bool{}
	for start := 0; ; {
		response, err := s.client.getRetryingIfRateLimited(ctx, s.baseURL()+"/api/v1/streams/?start="+strconv.Itoa(start)+"&count="+strconv.Itoa(srsPageSize))
		if err != nil {
			return err
		}
		page, err := decodeSRSStreams(response)
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
				yield(st)
			}
		}
		if len(known) == before {
			return nil
		}
		start += len(page)
	}
}

// decodeSRSStreams decodes one page.
func decodeSRSStreams(response []byte) ([]srsStream, error) {
	var reply struct {
		Code    *int
		Streams []srsStream
	}
	switch {
	case json.Unmarshal(response, &reply) != nil, reply.Code == nil:
		return nil, errMalformed
	case *reply.Code != 0:
		return nil, &apiError{"streams", strconv.Itoa(*reply.Code)}
	case slices.ContainsFunc(reply.Streams, func(st srsStream) bool { return st.ID == "" || st.Name == "" }):
		return nil, errMalformed
	}
	return reply.Streams, nil
}

// ForEachOnline calls yield with the live code of every push. After an error, the codes
// yielded are online still.
func (s *SRS) ForEachOnline(ctx context.Context, yield func(code string)) error {
	return s.forEachPushedStream(ctx, func(st srsStream) { yield(st.Name) })
}

// CutPush ends the push of a stream, if there is one. The server's hook decides about a
// new push.
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

// srsNoSuchClient is the API's error code for an unknown client.
const srsNoSuchClient = 2049

func (s *SRS) disconnectClient(ctx context.Context, clientID string) error {
	if clientID == "" {
		return errMalformed
	}
	var status int
	var response []byte
	err := s.client.retryIfRateLimited(ctx, func() (err error) {
		status, response, err = s.client.requestOnce(ctx, http.MethodDelete, s.baseURL()+"/api/v1/clients/"+url.PathEscape(clientID))
		return err
	})
	if err != nil || status == http.StatusNotFound {
		return err
	}
	if err := checkStatusIs2xx(status); err != nil {
		return err
	}
	var reply struct{ Code *int }
	switch {
	case json.Unmarshal(response, &reply) != nil, reply.Code == nil:
		return errMalformed
	case *reply.Code != 0 && *reply.Code != srsNoSuchClient:
		return &apiError{"clients", strconv.Itoa(*reply.Code)}
	}
	return nil
}

// ForbidPush is CutPush: the server's hook rejects new pushes.
func (s *SRS) ForbidPush(ctx context.Context, code string, _ time.Time, _ string) error {
	return s.CutPush(ctx, code)
}

// AllowPush does nothing: the server's hook permits new pushes.
func (s *SRS) AllowPush(context.Context, string) error { return nil }
