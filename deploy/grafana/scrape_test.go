package grafana

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape is what servers tell: series by name.
type scrape map[string]*series

// series are all of one name.
type series struct {
	values map[string]set // of each label
	alike  bool           // all nodes count the same
}

// newScrape has what Prometheus makes itself.
func newScrape() scrape {
	out := scrape{}
	out.add("up", false, map[string]string{"job": job, "instance": "any"})
	out.add("ALERTS", false, map[string]string{"alertname": "OnairAny", "alertstate": "firing", "severity": "any", "job": job})
	return out
}

func (s scrape) add(name string, alike bool, labels map[string]string) {
	if s[name] == nil {
		s[name] = &series{values: map[string]set{}, alike: alike}
	}
	for label, value := range labels {
		if s[name].values[label] == nil {
			s[name].values[label] = set{}
		}
		s[name].values[label][value] = true
	}
}

// take reads the metrics of a node, and gives them the labels of the job.
func (s scrape) take(ctx context.Context, node string) error {
	body, err := get(ctx, "http://"+node+"/metrics")
	if err != nil {
		return err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, f := range families {
		alike := strings.HasSuffix(f.GetHelp(), "All nodes count the same.")
		for _, m := range f.GetMetric() {
			labels := map[string]string{"job": job, "instance": node}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			s.spread(name, alike, m, labels)
		}
	}
	return nil
}

// spread adds a metric as the series that it is kept as.
func (s scrape) spread(name string, alike bool, m *dto.Metric, labels map[string]string) {
	h, q := m.GetHistogram(), m.GetSummary()
	if h == nil && q == nil {
		s.add(name, alike, labels)
		return
	}
	s.add(name+"_sum", alike, labels)
	s.add(name+"_count", alike, labels)
	for _, b := range h.GetBucket() {
		s.add(name+"_bucket", alike, labels)
		s.add(name+"_bucket", alike, map[string]string{"le": fmt.Sprint(b.GetUpperBound())})
	}
	for _, b := range q.GetQuantile() {
		s.add(name, alike, labels)
		s.add(name, alike, map[string]string{"quantile": fmt.Sprint(b.GetQuantile())})
	}
}

func get(ctx context.Context, url string) (body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: HTTP %d: %s", url, res.StatusCode, text)
	}
	return string(text), err
}
