package grafana

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// scrape holds the metrics of servers: series by name.
type scrape map[string]*series

// series are all series of one name.
type series struct {
	values           map[string]stringSet // of each label
	isSameOnAllNodes bool                 // all nodes have the same value
}

// newScrape returns the series of Prometheus itself: up, and the alerts of its rules.
func newScrape() (scrape, error) {
	out := scrape{}
	out.addSeries("up", false, map[string]string{"job": job, "instance": "any"})
	text, err := os.ReadFile(filepath.Join("..", "prometheus", "rules", "onair.yaml"))
	if err != nil {
		return nil, err
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert  string
				Labels map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert != "" {
				labels := map[string]string{"job": job, "alertname": rule.Alert, "alertstate": "firing"}
				maps.Copy(labels, rule.Labels)
				out.addSeries("ALERTS", false, labels)
			}
		}
	}
	return out, nil
}

func (s scrape) addSeries(name string, isSame bool, labels map[string]string) {
	if s[name] == nil {
		s[name] = &series{values: map[string]stringSet{}, isSameOnAllNodes: isSame}
	}
	for label, value := range labels {
		if s[name].values[label] == nil {
			s[name].values[label] = stringSet{}
		}
		s[name].values[label][value] = true
	}
}

// addNode adds the metrics of a node, with the labels of the job.
func (s scrape) addNode(ctx context.Context, node string) error {
	body, err := httpGet(ctx, "http://"+node+"/metrics")
	if err != nil {
		return err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, f := range families {
		isSame := strings.HasSuffix(f.GetHelp(), "Equal on all nodes.")
		for _, m := range f.GetMetric() {
			labels := map[string]string{"job": job, "instance": node}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			s.addMetric(name, isSame, m, labels)
		}
	}
	return nil
}

// addMetric adds the series of a metric.
func (s scrape) addMetric(name string, isSame bool, m *dto.Metric, labels map[string]string) {
	h, q := m.GetHistogram(), m.GetSummary()
	if h == nil && q == nil {
		s.addSeries(name, isSame, labels)
		return
	}
	s.addSeries(name+"_sum", isSame, labels)
	s.addSeries(name+"_count", isSame, labels)
	for _, b := range h.GetBucket() {
		s.addSeries(name+"_bucket", isSame, labels)
		s.addSeries(name+"_bucket", isSame, map[string]string{"le": fmt.Sprint(b.GetUpperBound())})
	}
	for _, b := range q.GetQuantile() {
		s.addSeries(name, isSame, labels)
		s.addSeries(name, isSame, map[string]string{"quantile": fmt.Sprint(b.GetQuantile())})
	}
}

func httpGet(ctx context.Context, url string) (body string, err error) {
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
