package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"onair/presence/embedded"
	"onair/presence/migration"
	"onair/server/config"
	"onair/server/logging"
	"onair/server/node"
)

// newMigrateCommand returns the command that copies one store to another. Both stores are those
// of complete configurations, so that the servers of the new one can start at once.
func newMigrateCommand(serverFlags *pflag.FlagSet, environ []string, stdout, stderr io.Writer) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "migrate", Short: "copy the list and the recordings from the store of one configuration to that of another", Args: rejectArguments,
		Long: "migrate copies everything from the store of the configuration --from to the empty store of the configuration --to:\n" +
			"from data to Redis, back, or to another of the same kind. Each file is read as the server reads it, with the environment.\n" +
			"Stop all servers first; anchors resume the same sessions on the new store. The source stays as it is.\n" +
			"Exit code 0: everything was copied. 1: nothing may be started on the target yet; repeat the command. 2: wrong usage or configuration.",
		Example: "  server migrate --from /etc/onair/onair.yaml --to /etc/onair/redis.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := rejectServerFlags(serverFlags); err != nil {
				return usageError{err}
			}
			source, target, err := loadBoth(from, to, environ)
			if err != nil {
				return usageError{err}
			}
			return migrateStore(cmd.Context(), source, target, stdout, stderr)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "configuration file of the store to copy; required")
	cmd.Flags().StringVar(&to, "to", "", "configuration file of the empty store to copy to; required")
	return cmd
}

// rejectServerFlags returns an error if a flag of the server is set, which one of the two
// configurations would need and the other would not.
func rejectServerFlags(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed && err == nil {
			err = fmt.Errorf("migrate: --%s: not allowed: --from and --to name the configurations", f.Name)
		}
	})
	return err
}

// loadBoth loads the two configurations.
func loadBoth(fromFile, toFile string, environ []string) (source, target *config.Config, err error) {
	if fromFile == "" || toFile == "" {
		return nil, nil, errors.New("migrate: --from and --to are required")
	}
	source, err = config.Load([]string{"--config", fromFile}, environ)
	if err != nil {
		return nil, nil, fmt.Errorf("--from: %w", err)
	}
	target, err = config.Load([]string{"--config", toFile}, environ)
	if err != nil {
		return nil, nil, fmt.Errorf("--to: %w", err)
	}
	return source, target, rejectUnsuitableStores(source, target)
}

// rejectUnsuitableStores returns an error for a store in memory, and for twice the same
// directory.
func rejectUnsuitableStores(source, target *config.Config) error {
	for flag, cfg := range map[string]*config.Config{"--from": source, "--to": target} {
		if len(cfg.Redis.Addrs) == 0 && cfg.Data == embedded.InMemory {
			return fmt.Errorf("%s: data: invalid value %q: must be a directory", flag, cfg.Data)
		}
	}
	a, errA := filepath.Abs(source.Data)
	b, errB := filepath.Abs(target.Data)
	if len(source.Redis.Addrs)+len(target.Redis.Addrs) == 0 && a == b {
		return fmt.Errorf("--from and --to: data: the same directory %s", a)
	}
	return errors.Join(errA, errB)
}

// migrateStore copies the store of one configuration to that of another, and prints what it
// copied.
func migrateStore(ctx context.Context, sourceConfig, targetConfig *config.Config, stdout, stderr io.Writer) error {
	startedAt := time.Now()
	log, _ := logging.New(targetConfig, stderr)
	source, err := openForMigration(sourceConfig, true, log)
	if err != nil {
		return fmt.Errorf("migrate: source: %w", explainMigrationError(err))
	}
	defer source.Close()
	target, err := openForMigration(targetConfig, false, log)
	if err != nil {
		return fmt.Errorf("migrate: target: %w", explainMigrationError(err))
	}
	copied, err := migration.Copy(ctx, source, target, len(sourceConfig.Redis.Addrs) > 0)
	if err = errors.Join(err, target.Close()); err != nil {
		return explainMigrationError(err)
	}
	_, err = fmt.Fprintf(stdout, "copied in %s: %d live sessions, %d ended sessions, %d bans, %d idempotency keys, %d undelivered events, %d dead letters, %d recordings\n",
		time.Since(startedAt).Round(100*time.Millisecond), copied.Live, copied.Ended, copied.Bans, copied.ClientKeys, copied.Events, copied.DeadLetters, copied.Recordings)
	return err
}

// openForMigration opens a store. A source must exist, and nothing in it is changed.
func openForMigration(cfg *config.Config, isSource bool, log zerolog.Logger) (migration.Store, error) {
	if len(cfg.Redis.Addrs) > 0 {
		return node.OpenRedis(cfg, nil, log)
	}
	return embedded.Open(embedded.Options{Dir: cfg.Data, ReadOnly: isSource, Logger: log})
}

// explainMigrationError adds to an error how to solve it.
func explainMigrationError(err error) error {
	switch {
	case errors.Is(err, embedded.ErrLocked), errors.Is(err, migration.ErrSourceInUse), errors.Is(err, migration.ErrTargetChanged):
		return fmt.Errorf("%w (stop all servers of both configurations, such as by systemctl stop onair, and repeat the command)", err)
	case errors.Is(err, migration.ErrTargetNotEmpty):
		return fmt.Errorf("%w (name another directory or another redis.prefix, or remove what is there)", err)
	}
	return err
}
