package cloud

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// srsServer simulates the HTTP API of SRS.
type srsServer struct {
	rows         []string // streams in JSON
	maxPage      int      // bounds the length of a page; 0: unlimited
	pageless     bool     // each request gets the first page
	onDisconnect func(id string) (status int, response string)

	mu           sync.Mutex // guards the fields below
	disconnected []string
	pages        int
}

func (s *srsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user, password, _ := r.BasicAuth(); user != "admin" || password != "hunter2" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/api/v1/clients/"); ok && r.Method == http.MethodDelete {
		s.disconnected = append(s.disconnected, id)
		status, response := http.StatusOK, `{"code":0}`
		if s.onDisconnect != nil {
			status, response = s.onDisconnect(id)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, response)
		return
	}
	if r.URL.Path != "/api/v1/streams/" || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	s.pages++
	start, _ := strconv.Atoi(r.FormValue("start"))
	count, _ := strconv.Atoi(r.FormValue("count"))
	if s.maxPage > 0 {
		count = min(count, s.maxPage)
	}
	if s.pageless {
		start = 0
	}
	start = min(start, len(s.rows))
	fmt.Fprintf(w, `{"code":0,"server":"vid-0xk989d","service":"382k456r","pid":"7","streams":[%s]}`, strings.Join(s.rows[start:min(len(s.rows), start+count)], ","))
}

func srsRow(i int, name, app string, active bool, client string) string {
	return fmt.Sprintf(`{"id":"vid-%d","name":%q,"vhost":"vid-1","app":%q,"tcUrl":"rtmp://h/%s","live_ms":1,"clients":1,"kbps":{"recv_30s":0},"publish":{"active":%v,"cid":%s},"video":null,"audio":{"codec":"AAC"}}`,
		i, name, app, app, active, client)
}

func newSRSClient(t *testing.T, s *srsServer) *SRS {
	t.Helper()
	link, o := startServer(t, s)
	client, err := NewSRS(strings.Replace(link, "://", "://admin:hunter2@", 1)+"/", "live", o)
	if err != nil {
		t.Fatal(err)
	}
	requireNoSecrets(t, client, *client)
	return client
}

func TestSRS(t *testing.T) {
	s := &srsServer{rows: []string{
		srsRow(1, "8888_alice", "live", true, `"2hx2r9e1"`),
		srsRow(2, "8888_bob", "live", false, `""`),
		srsRow(3, "8888_carol", "other", true, `"x"`),
		srsRow(4, "8888_dave", "live", true, `105`), // old versions use numbers
	}}
	client := newSRSClient(t, s)
	got, err := collectOnline(client.ForEachOnline, shortContext(t))
	if want := []string{"8888_alice", "8888_dave"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, code := range []string{"8888_alice", "8888_bob", "8888_carol", "8888_dave", "8888_nobody"} {
		if err := client.CutPush(shortContext(t), code); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"2hx2r9e1", "105"}; !slices.Equal(s.disconnected, want) {
		t.Errorf("disconnected %v, want %v", s.disconnected, want)
	}
}

func TestSRSPages(t *testing.T) {
	for _, c := range []struct {
		streams, maxPage int
		pageless         bool
	}{{0, 0, false}, {1, 0, false}, {1000, 0, false}, {2500, 0, false}, {250, 100, false}, {200, 100, false}, {700, 0, true}} {
		s := &srsServer{maxPage: c.maxPage, pageless: c.pageless}
		for i, code := range streamCodes(c.streams) {
			s.rows = append(s.rows, srsRow(i, code, "live", true, `"c"`))
		}
		if got, err := collectOnline(newSRSClient(t, s).ForEachOnline, shortContext(t)); err != nil || !slices.Equal(got, streamCodes(c.streams)) {
			t.Errorf("%+v: %d codes, %v", c, len(got), err)
		}
	}
}

func TestSRSFaults(t *testing.T) {
	for _, response := range []string{
		``, `{}`, `[]`, `{"streams":[]}`, `{"code":null,"streams":[]}`, `{"code":"0","streams":[]}`, `{"code":1061}`, `{"code":0,"streams":{}}`, `{"code":0,"streams":[{"name":"8888_alice"}]}`,
		`{"code":0,"streams":[{"id":"1","name":"8888_alice","app":"live","publish":{"active":tr`,
	} {
		client, err := NewSRS("http://srs:1985", "live", Options{Budget: unlimitedBudget(), Transport: fixedResponse{http.StatusOK, []byte(response)}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := collectOnline(client.ForEachOnline, t.Context()); err == nil || len(got) > 0 {
			t.Errorf("%s: %v", response, got)
		}
	}
	s := &srsServer{rows: []string{srsRow(1, "8888_alice", "live", true, `"c"`)}}
	for want, c := range map[bool][][2]string{
		true:  {{"200", `{"code":0}`}, {"200", `{"code":2049}`}, {"404", ``}},
		false: {{"200", `{"code":1061}`}, {"200", ``}, {"500", `{"code":0}`}},
	} {
		for _, c := range c {
			s.onDisconnect = func(string) (int, string) { status, _ := strconv.Atoi(c[0]); return status, c[1] }
			if err := newSRSClient(t, s).CutPush(shortContext(t), "8888_alice"); (err == nil) != want {
				t.Errorf("%v: %v", c, err)
			}
		}
	}
	for _, link := range []string{"", "srs:1985", "ftp://srs", "http://", "http://srs/?a", "http://srs/#a", "http://admin:hunter2@srs:port"} {
		if _, err := NewSRS(link, "live", Options{Budget: unlimitedBudget()}); err == nil {
			t.Errorf("no error for %q", link)
		} else {
			requireNoSecrets(t, err)
		}
	}
	// A wrong password, and a server that is down.
	link, o := startServer(t, s)
	for _, link := range []string{strings.Replace(link, "://", "://hunter2:hunter2@", 1), "http://hunter2:hunter2@127.0.0.1:1"} {
		client, err := NewSRS(link, "live", o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = collectOnline(client.ForEachOnline, shortContext(t))
		if err == nil {
			t.Error("no error")
		}
		requireNoSecrets(t, err)
	}
}

func FuzzSRS(f *testing.F) {
	f.Add([]byte(`{"code":0,"streams":[` + srsRow(1, "8888_alice", "live", true, `"c"`) + `,` + srsRow(2, "8888_bob", "live", false, `105`) + `]}`))
	f.Add([]byte(`{"code":0,"streams":null}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		page, err := decodeSRSStreams(response)
		if err != nil && len(page) > 0 {
			t.Fatalf("%d streams with error %v", len(page), err)
		}
		for _, st := range page {
			if st.ID == "" || st.Name == "" {
				t.Fatalf("%+v", st)
			}
		}
		// A server that repeats this page does not cause an endless loop.
		client, err := NewSRS("http://srs", "live", Options{Budget: unlimitedBudget(), Transport: fixedResponse{http.StatusOK, response}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := collectOnline(client.ForEachOnline, t.Context()); len(got) > len(page) {
			t.Fatalf("%d of %d, %v", len(got), len(page), err)
		}
	})
}
