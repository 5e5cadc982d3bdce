package cloud

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NginxRTMP is nginx with the RTMP module: its statistics page (rtmp_stat) and its
// control (rtmp_control), see https://github.com/arut/nginx-rtmp-module/wiki/Control-module.
type NginxRTMP struct {
	// Static after construction.
	line          *line
	stat, control string
	app           string
}

// NewNginxRTMP returns a client of the pages at two URLs, of which either may be
// empty when it is not needed, for pushes to an application.
func NewNginxRTMP(stat, control, app string, o Options) *NginxRTMP {
	return &NginxRTMP{newLine(o), stat, strings.TrimSuffix(control, "/"), app}
}

// statistics are what the page tells, as far as it matters.
type statistics struct {
	XMLName xml.Name `xml:"rtmp"`
	Apps    []struct {
		Name    string `xml:"name"`
		Streams []struct {
			Name       string    `xml:"name"`
			Publishing *struct{} `xml:"publishing"`
		} `xml:"live>stream"`
	} `xml:"server>application"`
}

// Online names every stream that is pushed. Where nginx has several workers the page
// is one worker's: use one.
func (n *NginxRTMP) Online(ctx context.Context, each func(code string)) error {
	raw, err := n.line.send(ctx, http.MethodGet, n.stat, nil, nil)
	if err != nil {
		return err
	}
	return parseStatistics(raw, n.app, each)
}

func parseStatistics(page []byte, app string, each func(code string)) error {
	var s statistics
	if xml.NewDecoder(bytes.NewReader(page)).Decode(&s) != nil {
		return errReply
	}
	for _, a := range s.Apps {
		for _, st := range a.Streams {
			if a.Name == app && st.Publishing != nil {
				each(st.Name)
			}
		}
	}
	return nil
}

// Cut ends a push; it may ask to begin again.
func (n *NginxRTMP) Cut(ctx context.Context, code string) error {
	q := url.Values{"app": {n.app}, "name": {code}}
	_, err := n.line.send(ctx, http.MethodGet, n.control+"/drop/publisher?"+q.Encode(), nil, nil, http.StatusNoContent)
	return err
}

// Forbid ends a push: that no other begins is for the hook, which refuses it.
func (n *NginxRTMP) Forbid(ctx context.Context, code string, _ time.Time, _ string) error {
	return n.Cut(ctx, code)
}

// Allow has nothing to undo.
func (n *NginxRTMP) Allow(context.Context, string) error { return nil }
