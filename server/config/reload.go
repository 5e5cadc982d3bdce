package config

import (
	"fmt"
	"slices"
)

// MergeReloadable returns the current configuration with the reloadable values of the loaded
// one. Generated secrets stay the same. An error is returned when a secret was configured and
// no longer is, because a running server generates none, and for the reasons of
// CheckGeneratedSecrets.
func MergeReloadable(current, loaded *Config) (merged *Config, err error) {
	for _, keyName := range loaded.GeneratedSecrets {
		if !slices.Contains(current.GeneratedSecrets, keyName) {
			return nil, fmt.Errorf("%s: no longer configured: must be set while the server runs", keyName)
		}
	}
	if err := loaded.CheckGeneratedSecrets(); err != nil {
		return nil, err
	}
	next := *current
	next.GeneratedSecrets = loaded.GeneratedSecrets
	for _, k := range keys {
		if k.form&reloadable != 0 && !slices.Contains(loaded.GeneratedSecrets, k.name) {
			k.copy(&next, loaded)
		}
	}
	return &next, nil
}

// ChangedKeys lists the keys whose text differs, and those among them that a reload does not
// apply. Values that are generated at each start do not count.
func ChangedKeys(before, after *Config) (changed, needRestart []string) {
	for _, k := range keys {
		if before.effective[k.name].text == after.effective[k.name].text {
			continue
		}
		changed = append(changed, k.name)
		if k.form&reloadable == 0 {
			needRestart = append(needRestart, k.name)
		}
	}
	return changed, needRestart
}
