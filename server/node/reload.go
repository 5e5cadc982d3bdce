package node

import (
	"context"

	"onair/server/admission"
	"onair/server/config"
)

// ReloadConfig applies the reloadable keys of the configuration that load returns. If that fails,
// nothing changes. It must not be called concurrently.
func (n *Node) ReloadConfig(ctx context.Context, load func() (*config.Config, error)) {
	loaded, err := load()
	if err == nil {
		err = n.applyConfig(ctx, loaded)
	}
	if err != nil {
		n.reloads.WithLabelValues(resultFailed).Inc()
		n.Log.Error().Err(err).Msg("configuration reload failed")
		return
	}
	n.reloads.WithLabelValues(resultOK).Inc()
	changed, needRestart := config.ChangedKeys(n.status.loadedConfig, loaded)
	n.status.loadedConfig = loaded
	n.Log.Info().Strs("changed", changed).Msg("configuration reloaded")
	next := n.Runtime.Current()
	if (n.certificate == nil) != (next.TLS.Cert == "") {
		needRestart = append(needRestart, "tls.cert")
	}
	if len(needRestart) > 0 {
		n.Log.Warn().Strs("keys", needRestart).Msg("changed keys require a restart")
	}
	n.Level.Set(next.Log.Level) // last, so that the lines above are written
}

// applyConfig applies the reloadable keys of a configuration, all or none.
func (n *Node) applyConfig(ctx context.Context, loaded *config.Config) error {
	merged, err := config.MergeReloadable(n.Runtime.Current().Config, loaded)
	if err != nil {
		return err
	}
	admission.LowerSocketLimitToOpenFiles(merged, n.Log)
	next, err := n.Runtime.Build(ctx, merged)
	if err != nil {
		return err
	}
	if n.certificate != nil && merged.TLS.Cert != "" {
		if err := n.certificate.Replace(merged.TLS.Cert, merged.TLS.Key); err != nil {
			n.Runtime.DiscardConfig(next)
			return err
		}
	}
	n.Runtime.Replace(next)
	n.Admission.SetLimits(&merged.Limits)
	n.Hub.SetLimits(hubLimits(merged))
	return nil
}

// reloadOnHangups reloads the configuration at each signal, until ctx ends.
func (n *Node) reloadOnHangups(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.Hangups:
			n.ReloadConfig(ctx, n.LoadConfig)
		}
	}
}
