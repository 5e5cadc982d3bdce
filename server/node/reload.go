package node

import (
	"context"
	"slices"

	"onair/server/admission"
	"onair/server/config"
	"onair/server/runtimeconfig"
)

// Reload takes over the keys, certificates, limits and log level that load returns.
// When anything is wrong with them, all stays as it was. One goroutine at a time may
// call it.
func (n *Node) Reload(ctx context.Context, load func() (*config.Config, error)) {
	loaded, err := load()
	if err == nil {
		err = n.applyConfig(ctx, loaded)
	}
	if err != nil {
		n.metrics.reloads.WithLabelValues(resultFailed).Inc()
		n.Log.Error().Err(err).Msg("the configuration stays as it was")
		return
	}
	n.metrics.reloads.WithLabelValues(resultOK).Inc()
	changed := config.ChangedKeys(n.status.loadedConfig, loaded)
	n.status.loadedConfig = loaded
	needRestart := slices.DeleteFunc(slices.Clone(changed), config.IsReloadable)
	n.Log.Info().Strs("changed", changed).Msg("configuration read again")
	next := n.Runtime.Current()
	if (n.certificate == nil) != (next.TLS.Cert == "") {
		needRestart = append(needRestart, "tls.cert")
	}
	if len(needRestart) > 0 {
		n.Log.Warn().Strs("keys", needRestart).Msg("these have changed and need a restart")
	}
	n.Level.Set(next.Log.Level) // last: what was logged here is to be read
}

// applyConfig puts what a reload takes over from a configuration in force, all or nothing.
func (n *Node) applyConfig(ctx context.Context, loaded *config.Config) error {
	merged, err := runtimeconfig.Merge(n.Runtime.Current().Config, loaded)
	if err != nil {
		return err
	}
	admission.LowerSocketLimit(merged, n.Log)
	next, err := n.Runtime.Build(ctx, merged)
	if err != nil {
		return err
	}
	if n.certificate != nil && merged.TLS.Cert != "" {
		if err := n.certificate.Replace(merged.TLS.Cert, merged.TLS.Key); err != nil {
			n.Runtime.Discard(next)
			return err
		}
	}
	n.Runtime.Replace(next)
	n.Admission.SetLimits(&merged.Limits)
	n.Hub.SetLimits(hubLimits(merged))
	return nil
}

// reloadOnHangups reloads at each signal, until ctx ends.
func (n *Node) reloadOnHangups(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.Hangups:
			n.Reload(ctx, n.LoadConfig)
		}
	}
}
