package cloud

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// NginxRTMP is a client of nginx with the RTMP module: its statistics (rtmp_stat) and its
// control (rtmp_control). See
// https://github.com/arut/nginx-rtmp-module/wiki/Directives#statistics and
// https://github.com/arut/nginx-rtmp-module/wiki/Control-module.
//
// Both pages belong to one worker of nginx, chosen at random: nginx must run with
// worker_processes 1.
type NginxRTMP struct {
	// Static after construction.
	client *rateLimitedClient
	app    string
	urls   func() (stat, control string) // a function, so that no formatting prints passwords
}

// NewNginxRTMP returns a client for pushes to an application. The URLs are those of the
// statistics, for example http://127.0.0.1:8080/stat, and of the control, for example
// http://127.0.0.1:8080/control. Either may be empty; methods that need it then fail. An
// invalid URL is an error.
func NewNginxRTMP(statURL, controlURL, app string, o Options) (*NginxRTMP, error) {
	for _, link := range []*string{&statURL, &controlURL} {
		if *link == "" {
			continue
		}
		base, err := parseBaseURL(*link)
		if err != nil {
			return nil, fmt.Errorf("cloud: nginx-rtmp: %w", err)
		}
		*link = base
	}
	return &NginxRTMP{newRateLimitedClient(o), app, func() (string, string) { return statURL, controlURL }}, nil
}

// ForEachOnline calls yield with the live code of every push.
func (n *NginxRTMP) ForEachOnline(ctx context.Context, yield func(code string)) error {
	stat, _ := n.urls()
	if stat == "" {
		return errors.New("cloud: nginx-rtmp: no statistics URL configured")
	}
	page, err := n.client.getRetryingIfRateLimited(ctx, stat)
	if err != nil {
		return err
	}
	codes, err := decodePushedCodes(page, n.app)
	if err != nil {
		return err
	}
	for _, code := range codes {
		yield(code)
	}
	return nil
}

// decodePushedCodes returns the live codes of an application that have a push. The root of
// the page is rtmp, or http-flv in nginx-http-flv. The page
// contains text of clients; the module escapes markup, and replaces each byte that is not
// printable ASCII by a space.
func decodePushedCodes(statisticsXML []byte, app string) (codes []string, err error) {
	var rtmp struct {
		Version string `xml:"nginx_version"` // every page has it
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
	if xml.NewDecoder(bytes.NewReader(statisticsXML)).Decode(&rtmp) != nil || rtmp.Version == "" {
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

// CutPush ends the push of a stream, if there is one. The server's hook decides about a
// new push.
func (n *NginxRTMP) CutPush(ctx context.Context, code string) error {
	_, control := n.urls()
	if control == "" {
		return errors.New("cloud: nginx-rtmp: no control URL configured")
	}
	query := url.Values{"app": {n.app}, "name": {code}}
	_, err := n.client.getRetryingIfRateLimited(ctx, control+"/drop/publisher?"+query.Encode())
	return err
}

// ForbidPush is CutPush: the server's hook rejects new pushes.
func (n *NginxRTMP) ForbidPush(ctx context.Context, code string, _ time.Time, _ string) error {
	return n.CutPush(ctx, code)
}

// AllowPush does nothing: the server's hook permits new pushes.
func (n *NginxRTMP) AllowPush(context.Context, string) error { return nil }
