package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// setEverything sets all values of a configuration.
func setEverything(t *testing.T, v reflect.Value) {
	t.Helper()
	if prefix, ok := v.Addr().Interface().(*netip.Prefix); ok {
		*prefix = netip.MustParsePrefix("192.0.2.0/24")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				setEverything(t, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		setEverything(t, v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		setEverything(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x"), value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		t.Fatalf("no value for a %v", v.Type())
	}
}

// TestMergeReloadable: each reloadable key takes effect, and each other one does not. Together
// the keys have every value of the configuration.
func TestMergeReloadable(t *testing.T) {
	loaded := &Config{}
	setEverything(t, reflect.ValueOf(loaded).Elem())
	loaded.GeneratedSecrets = nil
	loaded.IgnoredVariables = nil
	merged, err := MergeReloadable(&Config{}, loaded)
	if err != nil {
		t.Fatal(err)
	}
	all := &Config{}
	for _, k := range keys {
		before, want, got := *all, &Config{}, &Config{}
		k.copy(all, loaded)
		if reflect.DeepEqual(*all, before) {
			t.Errorf("%s has the value of another key", k.name)
		}
		if k.form&reloadable != 0 {
			k.copy(want, loaded)
		}
		if k.copy(got, merged); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: merged to %+v, want %+v", k.name, got, want)
		}
	}
	if !reflect.DeepEqual(all, loaded) {
		t.Errorf("a value belongs to no key: all keys give\n%+v, want\n%+v", all, loaded)
	}
}

// TestMergeKeepsGeneratedSecrets: a generated secret stays the same, and one that was configured
// must stay configured.
func TestMergeKeepsGeneratedSecrets(t *testing.T) {
	current := &Config{GeneratedSecrets: []string{"auth.secret", "push.key", "play.key"}}
	loaded := &Config{GeneratedSecrets: []string{"push.key", "play.key"}}
	for _, c := range []struct {
		config *Config
		value  Secret
	}{{current, "current"}, {loaded, "loaded"}} {
		c.config.Auth.Secret, c.config.Push.Key, c.config.Play.Key = c.value, c.value, c.value
	}
	merged, err := MergeReloadable(current, loaded)
	if err != nil || merged.Auth.Secret != "loaded" || merged.Push.Key != "current" || merged.Play.Key != "current" ||
		!slices.Equal(merged.GeneratedSecrets, loaded.GeneratedSecrets) {
		t.Errorf("%+v, %v", merged, err)
	}
	if _, err := MergeReloadable(loaded, current); err == nil || err.Error() != "auth.secret: no longer configured: must be set while the server runs" {
		t.Errorf("a secret that is no longer configured: %v", err)
	}
}

func TestChangedKeys(t *testing.T) {
	before, err := withFlags("--node", "n").load(t)
	if err != nil {
		t.Fatal(err)
	}
	after, err := withFlags("--node", "n", "--idle", "7s", "--limits.window", "7").load(t)
	if err != nil {
		t.Fatal(err)
	}
	changed, needRestart := ChangedKeys(before, after)
	if !slices.Equal(changed, []string{"idle", "limits.window"}) || !slices.Equal(needRestart, []string{"idle"}) {
		t.Errorf("changed %v, need a restart %v", changed, needRestart)
	}
}

// TestMergeRefusesKeysBesideMadeUpOnes: a reload that brings the first configured key must bring
// all.
func TestMergeRefusesKeysBesideMadeUpOnes(t *testing.T) {
	current, err := input{}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := withFlags("--auth.secret", minimumKey).load(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := MergeReloadable(current, loaded); err == nil || !strings.Contains(err.Error(), "push.key, play.key: must be set, because auth.secret is") {
		t.Errorf("%v", err)
	}
}
