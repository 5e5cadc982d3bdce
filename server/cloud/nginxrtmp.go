package cloud

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// NginxRTMP is a client of nginx with the RTMP module: of its statistics (rtmp_stat)
// and its control (rtmp_control):
// https://github.com/arut/nginx-rtmp-module/wiki/Directives#statistics and
// https://github.com/arut/nginx-rtmp-module/wiki/Control-module.
//
// Both pages are those of one worker of nginx, and which one is chance: it must run
// with worker_processes 1.
type NginxRTMP struct {
	// Static after construction.
	client *rateLimitedClient
	app    string
	urls   func() (stat, control string) // which may hold passwords: nothing that prints values looks into a function
}

// NewNginxRTMP returns a client for pushes to an application. The URLs are those of
// the statistics, such as http://127.0.0.1:8080/stat, and of the control, such as
// http://127.0.0.1:8080/control; either may be empty, and what needs it then fails.
// It returns an error when one is no URL.
func NewNginxRTMP(stat, control, app string, o Options) (*NginxRTMP, error) {
	for _, link := range []*string{&stat, &control} {
		if *link == "" {
			continue
		}
		base, err := parseBaseURL(*link)
		if err != nil {
			return nil, fmt.Errorf("cloud: nginx-rtmp: %w", err)
		}
		*link = base
	}
	return &NginxRTMP{newClient(o), app, func() (string, string) { return stat, control }}, nil
}

// ForEachOnline names every stream that is pushed.
func (n *NginxRTMP) ForEachOnline(ctx context.Context, each func(code string)) error {
	stat, _ := n.urls()
	if stat == "" {
		return errors.New("cloud: nginx-rtmp: the URL of its statistics is not configured")
	}
	status, page, err := n.client.get(ctx, http.MethodGet, stat)
	if err == nil {
		err = checkStatus(status)
	}
	if err != nil {
		return err
	}
	codes, err := decodePushedStreams(page, n.app)
	if err != nil {
		return err
	}
	for _, code := range codes {
		each(code)
	}
	return nil
}

// decodePushedStreams reads the names that are pushed to an application. What clients call
// their streams and themselves is on the page too: the module escapes markup, and puts
// a blank for each byte that is not printable ASCII.
func decodePushedStreams(page []byte, app string) (codes []string, err error) {
	var rtmp struct {
		XMLName xml.Name `xml:"rtmp"`
		Servers []struct {
			Apps []struct {
				Name    string `xml:"name"`
				Streams []struct {
					Name       string    `xml:"name"`
					Publishing *struct{} `xml:"publishing"`
				} `xml:"live>stream"`
			} `xml:"application"`
		} `xml:"server"`
	}
	if xml.NewDecoder(bytes.NewReader(page)).Decode(&rtmp) != nil {
		return nil, errMalformed
	}
	for _, server := range rtmp.Servers {
		for _, a := range server.Apps {
			for _, s := range a.Streams {
				if a.Name == app && s.Publishing != nil && s.Name != "" {
					codes = append(codes, s.Name)
				}
			}
		}
	}
	return codes, nil
}

// CutPush ends the push of a stream, which may ask to begin again at once: the server's
// hook says who may. When there is none, nothing is to be done.
func (n *NginxRTMP) CutPush(ctx context.Context, code string) error {
	_, control := n.urls()
	if control == "" {
		return errors.New("cloud: nginx-rtmp: the URL of its control is not configured")
	}
	query := url.Values{"app": {n.app}, "name": {code}}
	status, _, err := n.client.get(ctx, http.MethodGet, control+"/drop/publisher?"+query.Encode())
	if err != nil {
		return err
	}
	return checkStatus(status)
}

// ForbidPush is Cut: that no other push begins is for the server's hook to say.
func (n *NginxRTMP) ForbidPush(ctx context.Context, code string, _ time.Time, _ string) error {
	return n.CutPush(ctx, code)
}

// AllowPush does nothing: the server's hook is asked about each push.
func (n *NginxRTMP) AllowPush(context.Context, string) error { return nil }
