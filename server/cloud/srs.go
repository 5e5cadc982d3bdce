package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// SRS is the HTTP API of SRS, see https://ossrs.net/lts/en-us/docs/v6/doc/http-api.
type SRS struct {
	// Static after construction.
	line *line
	base string
	app  string
}

// NewSRS returns a client of the server whose API is at a URL, such as
// http://127.0.0.1:1985, for pushes to an application.
func NewSRS(link, app string, o Options) *SRS {
	return &SRS{newLine(o), strings.TrimSuffix(link, "/"), app}
}

// published is one stream as the server tells of it.
type published struct {
	Name    string
	App     string
	Publish struct {
		Active bool
		CID    string
	}
}

// srsPage is how many streams the server is asked for at once.
const srsPage = 1000

func (s *SRS) streams(ctx context.Context, each func(published)) error {
	for start := 0; ; start += srsPage {
		raw, err := s.line.send(ctx, http.MethodGet, fmt.Sprintf("%s/api/v1/streams/?start=%d&count=%d", s.base, start, srsPage), nil, nil)
		if err != nil {
			return err
		}
		var reply struct {
			Code    *int
			Streams []published
		}
		if json.Unmarshal(raw, &reply) != nil || reply.Code == nil || *reply.Code != 0 {
			return errReply
		}
		for _, st := range reply.Streams {
			if st.App == s.app {
				each(st)
			}
		}
		if len(reply.Streams) < srsPage {
			return nil
		}
	}
}

// Online names every stream that is pushed.
func (s *SRS) Online(ctx context.Context, each func(code string)) error {
	return s.streams(ctx, func(st published) {
		if st.Publish.Active {
			each(st.Name)
		}
	})
}

// Cut ends a push; it may ask to begin again.
func (s *SRS) Cut(ctx context.Context, code string) error {
	var client string
	err := s.streams(ctx, func(st published) {
		if st.Name == code && st.Publish.Active {
			client = st.Publish.CID
		}
	})
	if err != nil || client == "" {
		return err
	}
	_, err = s.line.send(ctx, http.MethodDelete, s.base+"/api/v1/clients/"+client, nil, nil)
	return err
}

// Forbid ends a push: that no other begins is for the hook, which refuses it.
func (s *SRS) Forbid(ctx context.Context, code string, _ time.Time, _ string) error {
	return s.Cut(ctx, code)
}

// Allow has nothing to undo.
func (s *SRS) Allow(context.Context, string) error { return nil }
