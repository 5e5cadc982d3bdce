// Package manifests checks the deployment files with the code of the programs that
// read them: the chart with Helm and the types of Kubernetes and of the Prometheus
// operator, compose.yaml with Compose, Dockerfiles with BuildKit. It is a separate
// module, so that the server does not depend on that code.
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

// everything enables all optional parts.
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

// values are valid sets of values.
var values = map[string]string{"default": "", "everything": everything}

// TestMain disables Helm's log, which reports the link rules each time.
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

func TestChartPassesLint(t *testing.T) {
	for name, text := range values {
		for _, m := range lint.All(chartDir, parse(t, text), "default", true).Messages {
			if m.Severity > support.InfoSev { // the missing icon is only a recommendation
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// renderChart returns the files that Helm would send to a cluster, or Helm's error.
func renderChart(t *testing.T, text string) (map[string]string, error) {
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

// kinds are the kinds of manifests that the chart may contain.
var kinds = map[string]any{
	"ConfigMap": core.ConfigMap{}, "Service": core.Service{}, "Deployment": apps.Deployment{},
	"PodDisruptionBudget": policy.PodDisruptionBudget{}, "HorizontalPodAutoscaler": autoscaling.HorizontalPodAutoscaler{},
	"Ingress": networking.Ingress{}, "NetworkPolicy": networking.NetworkPolicy{},
	"ServiceMonitor": monitoring.ServiceMonitor{}, "PrometheusRule": monitoring.PrometheusRule{},
}

// decodeManifests renders the chart and strictly decodes all manifests, by kind.
func decodeManifests(t *testing.T, text string) map[string][]any {
	t.Helper()
	files, err := renderChart(t, text)
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
			if kind, o := decodeManifest(t, name, doc[:n]); kind != "" {
				out[kind] = append(out[kind], o)
			}
		}
	}
	return out
}

// decodeManifest decodes one manifest. The kind is "" if there are only comments.
func decodeManifest(t *testing.T, name string, doc []byte) (kind string, object any) {
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
	zero, known := kinds[head.Kind]
	if !known {
		t.Fatalf("%s: %s is unknown", name, head.Kind)
	}
	o := reflect.New(reflect.TypeOf(zero)).Interface()
	if err := yaml.UnmarshalStrict(doc, o); err != nil {
		t.Errorf("%s: %v\n%s", name, err, doc)
	}
	return head.Kind, o
}

// Kubernetes, or the operator, knows each member of each manifest. With all parts
// enabled there is a manifest of each kind.
func TestManifestsAreValid(t *testing.T) {
	for name, text := range values {
		t.Run(name, func(t *testing.T) {
			all := decodeManifests(t, text)
			if name == "everything" && len(all) != len(kinds) {
				t.Errorf("got only the kinds %v", slices.Sorted(maps.Keys(all)))
			}
			pod := all["Deployment"][0].(*apps.Deployment).Spec.Template.Spec
			c := pod.Containers[0]
			leave, drain := configSeconds(t, all, "leave"), configSeconds(t, all, "drain")
			if grace := *pod.TerminationGracePeriodSeconds; grace < leave+drain+10 {
				t.Errorf("termination grace period of %d s is too short for %d s of waiting and %d s of draining", grace, leave, drain)
			}
			if *pod.EnableServiceLinks {
				t.Error("a service named onair would put ONAIR_… into the environment, which onair refuses")
			}
			if !*pod.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || len(c.SecurityContext.Capabilities.Drop) != 1 {
				t.Error("the pod has unnecessary privileges")
			}
			for _, o := range all["Service"] {
				if s := o.(*core.Service); s.Name != "onair" && !s.Spec.PublishNotReadyAddresses {
					t.Errorf("%s: callbacks and Prometheus must reach pods that are full", s.Name)
				}
			}
		})
	}
}

// configSeconds returns a time in the chart's configuration.
func configSeconds(t *testing.T, all map[string][]any, key string) (seconds int64) {
	t.Helper()
	config := parse(t, all["ConfigMap"][0].(*core.ConfigMap).Data["onair.yaml"])
	text, ok := strings.CutSuffix(config[key].(string), "s")
	if !ok {
		t.Fatalf("%s is %v", key, config[key])
	}
	if err := yaml.Unmarshal([]byte(text), &seconds); err != nil {
		t.Fatal(err)
	}
	return seconds
}

func TestChartHasRulesOfPrometheus(t *testing.T) {
	rule := decodeManifests(t, everything)["PrometheusRule"][0].(*monitoring.PrometheusRule)
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
		t.Errorf("the %d groups of rules in the chart differ from the %d in deploy/prometheus", len(rule.Spec.Groups), len(want))
	}
}

// Wrong values are refused before they reach a cluster.
func TestSchemaRefusesWrongValues(t *testing.T) {
	for name, text := range map[string]string{
		"unknown value":          "replica: 2",
		"no replicas":            "replicas: 0",
		"no Redis":               "config: {redis.addrs: null}",
		"unknown key":            "config: {redis.adrs: [a:1]}",
		"key of the chart":       "config: {listen: ':80'}",
		"secret in config":       "config: {auth.secret: hush}",
		"unknown secret":         "secrets: {lists: {name: a, key: b}}",
		"secret without a key":   "secrets: {vod.key: {name: a}}",
		"fraction":               "config: {heartbeat.missed: 1.5}",
		"ingress without a host": "ingress: {enabled: true}",
		"drain as text":          "drainSeconds: 20s",
		"no leave time":          "leaveSeconds: 0",
		"policy":                 "image: {pullPolicy: Sometimes}",
	} {
		if _, err := renderChart(t, text); err == nil || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServerAcceptsChartConfiguration(t *testing.T) {
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
		config := decodeManifests(t, text)["ConfigMap"][0].(*core.ConfigMap).Data["onair.yaml"]
		file := filepath.Join(dir, "onair.yaml")
		if err := os.WriteFile(file, []byte(strings.NewReplacer("/run/secrets/onair", dir, "/flight", dir).Replace(config)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(onair, "config", "check", "--config", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
