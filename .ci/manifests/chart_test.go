// Package manifests checks what is deployed with the code of those who will read
// it: the chart with Helm and the types of Kubernetes and of the Prometheus
// operator, compose.yaml with Compose's, Dockerfiles with BuildKit's. It is a
// module of its own, so that nothing of this is near the server.
package manifests

import (
	"bytes"
	"errors"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	yamls "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const chartDir = "../../deploy/helm/onair"

// everything switches on all that is off by itself.
const everything = `
imagePullSecrets: [{name: pull}]
config: {limits.streams: 2000000, viewer.anonymous: true, lists: [live, games], hooks.nginx_rtmp.enabled: true}
secrets: {hooks.nginx_rtmp.secret: {name: hooks, key: nginx}}
leaveSeconds: 7
drainSeconds: 61
service: {type: LoadBalancer, annotations: {a: b}}
ingress: {enabled: true, className: nginx, host: live.example.com, tlsSecret: tls}
autoscaling: {enabled: true}
networkPolicy: {enabled: true}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
flightRecorder: {enabled: true}
prometheusRule: {enabled: true, labels: {release: prometheus}}
podAnnotations: {a: b}
nodeSelector: {a: b}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
`

// values are sets of them that must work.
var values = map[string]string{"default": "", "everything": everything}

// TestMain quietens Helm, which says at each reading that rules is a link.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	m.Run()
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLint(t *testing.T) {
	for name, text := range values {
		for _, m := range lint.All(chartDir, parse(t, text), "default", true).Messages {
			if m.Severity > support.InfoSev { // an icon is recommended
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// render is what Helm would send to a cluster, or why it would not.
func render(t *testing.T, text string) (map[string]string, error) {
	t.Helper()
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: "onair", Namespace: "live", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, parse(t, text), release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(chart, all)
}

// kinds are what the chart may have, each with its type.
var kinds = map[string]any{
	"ConfigMap": core.ConfigMap{}, "Service": core.Service{}, "Deployment": apps.Deployment{},
	"PodDisruptionBudget": policy.PodDisruptionBudget{}, "HorizontalPodAutoscaler": autoscaling.HorizontalPodAutoscaler{},
	"Ingress": networking.Ingress{}, "NetworkPolicy": networking.NetworkPolicy{},
	"ServiceMonitor": monitoring.ServiceMonitor{}, "PrometheusRule": monitoring.PrometheusRule{},
}

// objects decodes all manifests, strictly, by kind.
func objects(t *testing.T, text string) map[string][]any {
	t.Helper()
	files, err := render(t, text)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]any{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		docs := yamls.NewDocumentDecoder(io.NopCloser(strings.NewReader(files[name])))
		defer docs.Close()
		for {
			doc := make([]byte, 1<<20)
			n, err := docs.Read(doc)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if head, o := decode(t, name, doc[:n]); head != "" {
				out[head] = append(out[head], o)
			}
		}
	}
	return out
}

// decode reads one manifest. It is "" for one of comments alone.
func decode(t *testing.T, name string, doc []byte) (kind string, object any) {
	t.Helper()
	var head struct{ Kind string }
	if err := yaml.Unmarshal(doc, &head); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, doc)
	}
	if head.Kind == "" {
		if bytes.Contains(doc, []byte(":")) && !bytes.HasPrefix(bytes.TrimSpace(doc), []byte("#")) {
			t.Errorf("%s: no kind:\n%s", name, doc)
		}
		return "", nil
	}
	of, known := kinds[head.Kind]
	if !known {
		t.Fatalf("%s: %s is unknown", name, head.Kind)
	}
	o := reflect.New(reflect.TypeOf(of)).Interface()
	if err := yaml.UnmarshalStrict(doc, o); err != nil {
		t.Errorf("%s: %v\n%s", name, err, doc)
	}
	return head.Kind, o
}

// TestManifests: each is one that Kubernetes, or the operator, knows all of; and
// all are there when all is on.
func TestManifests(t *testing.T) {
	for name, text := range values {
		t.Run(name, func(t *testing.T) {
			all := objects(t, text)
			if name == "everything" && len(all) != len(kinds) {
				t.Errorf("kinds that are there: %v", slices.Sorted(maps.Keys(all)))
			}
			pod := all["Deployment"][0].(*apps.Deployment).Spec.Template.Spec
			c := pod.Containers[0]
			leave, drain := c.Lifecycle.PreStop.Sleep.Seconds, drainOf(t, all)
			if grace := *pod.TerminationGracePeriodSeconds; grace < leave+drain+10 {
				t.Errorf("killed after %d s, of which %d s are waited and %d s drained", grace, leave, drain)
			}
			if *pod.EnableServiceLinks {
				t.Error("a service named onair would put ONAIR_… into the environment, which onair refuses")
			}
			if !*pod.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || len(c.SecurityContext.Capabilities.Drop) != 1 {
				t.Error("the pod may more than it must")
			}
			for _, o := range all["Service"] {
				if s := o.(*core.Service); s.Name != "onair" && !s.Spec.PublishNotReadyAddresses {
					t.Errorf("%s: neither callbacks nor Prometheus may lose a pod that is full", s.Name)
				}
			}
		})
	}
}

// drainOf is how long a node drains, by the configuration in the chart.
func drainOf(t *testing.T, all map[string][]any) (seconds int64) {
	t.Helper()
	config := parse(t, all["ConfigMap"][0].(*core.ConfigMap).Data["onair.yaml"])
	text, ok := strings.CutSuffix(config["drain"].(string), "s")
	if !ok {
		t.Fatalf("drain is %v", config["drain"])
	}
	if err := yaml.Unmarshal([]byte(text), &seconds); err != nil {
		t.Fatal(err)
	}
	return seconds
}

// TestRules: the chart's rules are those of deploy/prometheus, all of them.
func TestRules(t *testing.T) {
	rule := objects(t, everything)["PrometheusRule"][0].(*monitoring.PrometheusRule)
	files, err := filepath.Glob("../../deploy/prometheus/rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	var want []monitoring.RuleGroup
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var spec monitoring.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict(text, &spec); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		want = append(want, spec.Groups...)
	}
	if len(want) == 0 || !reflect.DeepEqual(want, rule.Spec.Groups) {
		t.Errorf("the chart has %d groups of rules, deploy/prometheus %d, or they differ", len(rule.Spec.Groups), len(want))
	}
}

// TestRefused: values that are wrong are found out before they reach a cluster.
func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"unknown value":          "replica: 2",
		"no replicas":            "replicas: 0",
		"no Redis":               "config: {redis.addrs: null}",
		"unknown key":            "config: {redis.adrs: [a:1]}",
		"key of the chart":       "config: {listen: ':80'}",
		"secret in the open":     "config: {auth.secret: hush}",
		"secret of none":         "secrets: {lists: {name: a, key: b}}",
		"secret without a key":   "secrets: {vod.key: {name: a}}",
		"fraction":               "config: {heartbeat.missed: 1.5}",
		"ingress without a host": "ingress: {enabled: true}",
		"drain as text":          "drainSeconds: 20s",
		"no time to leave":       "leaveSeconds: 0",
		"policy":                 "image: {pullPolicy: Sometimes}",
	} {
		if _, err := render(t, text); err == nil || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConfiguration: onair takes the configuration that the chart gives.
func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	onair := filepath.Join(dir, "onair")
	build := exec.Command("go", "build", "-trimpath", "-o", onair, "./server")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, secret := range []string{"auth.secret", "push.key", "play.key", "hooks.nginx_rtmp.secret"} {
		if err := os.WriteFile(filepath.Join(dir, secret), []byte(strings.ReplaceAll(secret, ".", "-")+strings.Repeat("k", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range values {
		config := objects(t, text)["ConfigMap"][0].(*core.ConfigMap).Data["onair.yaml"]
		file := filepath.Join(dir, "onair.yaml")
		if err := os.WriteFile(file, []byte(strings.NewReplacer("/run/secrets/onair", dir, "/flight", dir).Replace(config)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(onair, "config", "check", "--config", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
