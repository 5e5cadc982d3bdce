package cloud

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// statisticsPage is a page of nginx-rtmp 1.1.4: a stream with a push and a player, one
// with only a player, another application, another server.
const statisticsPage = `<?xml version="1.0" encoding="utf-8" ?>` + "\r\n" + `<?xml-stylesheet type="text/xsl" href="stat.xsl" ?>
<rtmp>
<nginx_version>1.22.1</nginx_version>
<nginx_rtmp_version>1.1.4</nginx_rtmp_version>
<server>
<application>
<name>live</name>
<live>
<stream>
<name>8888_alice</name>
<time>3428</time><bw_in>0</bw_in>
<client><id>2</id><address>127.0.0.1</address><time>3615</time><flashver>FMLE/3.0</flashver><publishing/><active/></client>
<client><id>3</id><address>127.0.0.1</address><time>99</time><flashver>LNX 9,0,124,2</flashver><active/></client>
<meta><video><width>160</width></video><audio></audio></meta>
<nclients>2</nclients>
<publishing/>
<active/>
</stream>
<stream>
<name>a&lt;b&gt;&amp;%01&quot;x</name>
<client><id>1</id><flashver>%s</flashver></client>
<nclients>1</nclients>
</stream>
<nclients>3</nclients>
</live>
</application>
<application>
<name>other</name>
<live><stream><name>8888_bob</name><publishing/></stream></live>
</application>
</server>
<server><application><name>live</name><live><stream><name>8888_carol</name><publishing/></stream></live></application></server>
</rtmp>
`

func TestDecodePushedStreams(t *testing.T) {
	want := []string{"8888_alice", "8888_carol"}
	flv := strings.NewReplacer("<rtmp>", "<http-flv>", "</rtmp>", "</http-flv>").Replace(statisticsPage)
	if got, err := decodePushedCodes([]byte(flv), "live"); err != nil || !slices.Equal(got, want) {
		t.Errorf("nginx-http-flv: %v, %v; want %v", got, err, want)
	}
	// Clients choose their names freely.
	for _, flashver := range []string{"LNX", "", "&lt;publishing/&gt;", "]]&gt;&lt;/rtmp&gt;"} {
		got, err := decodePushedCodes([]byte(strings.Replace(statisticsPage, "%s", flashver, 1)), "live")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", flashver, got, err, want)
		}
	}
	for name, page := range map[string]string{
		"nothing":      "",
		"another page": "<html><body>502</body></html>",
		"another root": "<rtmp></rtmp>",
		"truncated":    statisticsPage[:len(statisticsPage)/2],
		"no end":       strings.TrimSuffix(statisticsPage, "</rtmp>\n"),
		"JSON":         `{"rtmp":{}}`,
		"invalid XML":  strings.Replace(statisticsPage, "%s", "\x00", 1),
	} {
		if got, err := decodePushedCodes([]byte(page), "live"); err == nil || len(got) > 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := decodePushedCodes([]byte("<rtmp><nginx_version>1.22.1</nginx_version></rtmp>"), "live"); err != nil || len(got) > 0 {
		t.Errorf("an nginx without streams: %v, %v", got, err)
	}
}

func TestNginxRTMPControl(t *testing.T) {
	var requested []string
	status := http.StatusOK
	link, o := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requested = append(requested, r.URL.Path+" app="+r.FormValue("app")+" name="+r.FormValue("name"))
		w.WriteHeader(status)
		if status == http.StatusOK {
			fmt.Fprint(w, "1")
		}
	}))
	n, err := NewNginxRTMP(link+"/stat", link+"/control/", "live", o)
	if err != nil {
		t.Fatal(err)
	}
	for ; status <= http.StatusNoContent; status += 4 {
		if err := n.CutPush(shortContext(t), "8888_alice&name=8888_bob"); err != nil {
			t.Error(err)
		}
	}
	if want := "/control/drop/publisher app=live name=8888_alice&name=8888_bob"; len(requested) != 2 || requested[0] != want {
		t.Errorf("requested %q, want %q", requested, want)
	}
	status = http.StatusNotFound
	if n.CutPush(shortContext(t), "8888_alice") == nil {
		t.Error("no error from a missing control page")
	}
	if _, err := collectOnline(n.ForEachOnline, shortContext(t)); err == nil {
		t.Error("no error from a missing statistics page")
	}
}

func TestNewNginxRTMP(t *testing.T) {
	n, err := NewNginxRTMP("", "", "live", Options{Budget: unlimitedBudget()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collectOnline(n.ForEachOnline, t.Context()); err == nil {
		t.Error("no error without a statistics URL")
	}
	if n.CutPush(t.Context(), "x") == nil {
		t.Error("no error without a control URL")
	}
	const secret = "http://admin:hunter2@h"
	if n, err = NewNginxRTMP(secret+"/stat", secret+"/control", "live", Options{Budget: unlimitedBudget()}); err != nil {
		t.Fatal(err)
	}
	requireNoSecrets(t, n, *n)
	for _, link := range []string{"h/stat", secret + ":port", "file:///stat"} {
		for _, links := range [][2]string{{link, ""}, {"", link}} {
			_, err := NewNginxRTMP(links[0], links[1], "live", Options{Budget: unlimitedBudget()})
			if err == nil {
				t.Errorf("no error for %q", links)
			}
			requireNoSecrets(t, err)
		}
	}
}

func FuzzDecodePushedStreams(f *testing.F) {
	f.Add([]byte(statisticsPage))
	f.Add([]byte("<rtmp><server><application><name>live</name><live><stream><name>a&lt;b</name><publishing/></stream></live></application></server></rtmp>"))
	f.Fuzz(func(t *testing.T, page []byte) {
		got, err := decodePushedCodes(page, "live")
		if err != nil && len(got) > 0 {
			t.Fatalf("%q with error %v", got, err)
		}
		for _, code := range got {
			if code == "" {
				t.Fatal("a stream without a name")
			}
		}
		if len(got) > 0 && len(got) > strings.Count(string(page), "publishing") {
			t.Fatalf("%q", got)
		}
	})
}
