import { Command, CommanderError } from 'commander';
import { libvirtUri } from '../app/libvirt.ts';
import type { Config } from '../config/config.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { ConfigError, renderProblems } from '../config/problem.ts';
import { commandWords } from '../model/commands.ts';
import { version } from '../util/version.ts';
import { AddonError, writeAddonConfig } from './addon.ts';
import { check } from './check.ts';
import { checkConfig } from './check-config.ts';
import { clean } from './clean.ts';
import { dump } from './dump/dump.ts';
import { health } from './health.ts';
import { type RebuildOptions, rebuild, rollback } from './loader/rebuild.ts';
import { type CommandOptions, UsageError } from './request.ts';
import { run } from './run.ts';
import { printSchema } from './schema.ts';
import { send } from './send.ts';
import { shutDownDirectly } from './shutdown.ts';
import { status } from './status.ts';

/** The command line. Exit codes: 0 succeeded, 1 failed or refused, 2 wrong usage or configuration, 3 not reached, 4 timed out. */

const { env, stdout, stderr } = process;

// `status | head` is no failure.
const readerGone = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
};
stdout.on('error', readerGone);
// To use it is to make a pipe of it one that never blocks; Node's own warnings go there.
stderr.on('error', readerGone);

const program = new Command('dsm2mqtt')
  .description('A Synology DSM virtual machine on libvirt, as Home Assistant entities over MQTT')
  .version(version)
  .exitOverride();

withConfig(program.command('run').description('run the bridge until SIGTERM or Ctrl-C')).action(({ config }) =>
  serve(config),
);

withConfig(program.command('status').description('ask libvirt how the VMs are; needs no broker'))
  .option('--json', 'print JSON', false)
  .action(({ config, json }) => configured(config, loaded => status({ config: loaded, json, stdout, stderr })));

withConfig(
  program
    .command('check')
    .description('check from here whether DSM answers, and if not, why; needs no broker')
    .argument('[vm]', 'its key (or name) in the configuration; all, if not given'),
)
  .option('--json', 'print JSON', false)
  .option('-w, --watch', 'again every few seconds, until Ctrl-C', false)
  .action((vm, { config, json, watch }) =>
    configured(config, loaded => check({ config: loaded, vm, json, watch, stdout, stderr, signal: interrupted() })),
  );

withConfig(program.command('health').description('ask the bridge on this machine whether it can do its work'))
  .option('--json', 'print JSON', false)
  .action(({ config, json }) => configured(config, loaded => health({ config: loaded, json, stdout, stderr })));

program
  .command('addon', { hidden: true })
  .description("run as Home Assistant's add-on")
  .action(async () => {
    try {
      await serve(await writeAddonConfig({ dataDir: '/data', supervisor: 'http://supervisor', env }));
    } catch (error) {
      if (!(error instanceof AddonError)) throw error;
      stderr.write(`${error.message}\n`);
      process.exit(1);
    }
  });

withConfig(program.command('dump').description('collect what helps to understand a problem, without secrets'))
  .option('-o, --output <file>', 'write it there; default: standard output')
  .action(({ config, output }) => loadedConfig(config, loaded => dump({ loaded, output, stdout, stderr })));

withConfig(program.command('clean').description('remove what the broker keeps of VMs that are not served any more'))
  .option('-y, --yes', 'without asking', false)
  .action(({ config, yes }) =>
    configured(config, loaded =>
      clean({ config: loaded, yes, stdin: process.stdin, stdout, stderr, signal: interrupted() }),
    ),
  );

withConfig(program.command('check-config').description('read the configuration and say what is wrong with it'))
  .option('--json', 'print JSON', false)
  .action(async ({ config, json }) => {
    process.exitCode = await checkConfig({ config, json, env, stdout, stderr, checkUri });
  });

withCommandOptions(
  program
    .command('send')
    .description('give a command to the running bridge, through the broker')
    .argument('<vm>', 'its key (or name) in the configuration')
    .argument('<command>', commandWords.join(', '))
    .argument('[value]', 'on or off, of autostart and arm'),
)
  .option('-w, --wait', 'wait until it has ended, and not only until it is accepted', false)
  .option('--confirm', 'of rebuild and rollback: although it is not armed')
  .action((vm, word, value, { config, wait, json, ...options }) =>
    configured(config, loaded => send({ config: loaded, vm, word, value, options, wait, json, stdout, stderr })),
  );

withCommandOptions(
  program
    .command('shutdown')
    .description('shut a VM down and wait until it is off')
    .argument('<vm>', 'its key (or name) in the configuration'),
)
  .option('--direct', 'straight over libvirt: needs neither broker nor network', false)
  .option('-w, --wait', 'wait until it is off; --direct always does', false)
  .action((vm, { config, wait, direct, json, ...options }) =>
    configured(config, loaded => {
      const common = { config: loaded, vm, options, json, stdout, stderr };
      return direct
        ? shutDownDirectly({ ...common, signal: interrupted() })
        : send({ ...common, word: 'shutdown', wait });
    }),
  );

withLoaderOptions(
  program
    .command('rebuild')
    .description("rebuild a VM's loader: show the plan, ask, and have the running bridge carry it out")
    .argument('<vm>', 'its key (or name) in the configuration'),
)
  .option('--dry-run', 'only the plan; needs no broker', false)
  .action((vm, { config, dryRun, ...rest }) =>
    configured(config, loaded => rebuild({ ...loaderOptions(loaded, vm, rest), dryRun })),
  );

withLoaderOptions(
  program
    .command('rollback')
    .description("put a VM's old loader back, after a rebuild that failed or was interrupted")
    .argument('<vm>', 'its key (or name) in the configuration'),
).action((vm, { config, ...rest }) => configured(config, loaded => rollback(loaderOptions(loaded, vm, rest))));

program
  .command('schema')
  .description('print the JSON schema of the configuration file')
  .action(() => {
    process.exitCode = printSchema({ stdout });
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

function checkUri(uri: string, readOnly: boolean): string | null {
  try {
    libvirtUri({ uri, readOnly });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What every command may be given beside its word. */
function withCommandOptions(command: Command): Command {
  return withConfig(command)
    .option('-t, --timeout <time>', 'how long it may take: 90s, 4m (default: as configured)')
    .option('--on-timeout <policy>', 'report or force_off')
    .option('--method <method>', 'acpi, agent or auto; of reboot: shutdown or guest')
    .option('--id <id>', 'a mark of this command; a second one with it is refused (default: random)')
    .option('--by <who>', 'who asks, as last_stop.by will say', 'cli')
    .option('--json', 'print every answer as a line of JSON', false);
}

function withLoaderOptions(command: Command): Command {
  return withConfig(command)
    .option('-y, --yes', 'without asking', false)
    .option('-t, --timeout <time>', 'how long the guest may take to power off: 90s, 4m (default: as configured)')
    .option('--on-timeout <policy>', 'what becomes of one that does not: report or force_off')
    .option('--id <id>', 'a mark of this command; a second one with it is refused (default: random)')
    .option('--by <who>', 'who asks, as last_stop.by will say', 'cli')
    .option('--json', 'print every document and answer as a line of JSON', false);
}

function loaderOptions(
  config: Config,
  vm: string,
  { yes, json, ...options }: CommandOptions & { yes: boolean; json: boolean },
): RebuildOptions {
  return { config, vm, options, yes, json, stdin: process.stdin, stdout, stderr, signal: interrupted() };
}

/** Ctrl-C and SIGTERM. The VM is left as it is. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

function withConfig(command: Command): Command {
  return command.option(
    '-c, --config <file>',
    'the configuration file (default: $DSM2MQTT_CONFIG, ./config.yaml, /config/config.yaml)',
  );
}

async function serve(file: string | undefined): Promise<void> {
  // A bridge goes on when nobody reads its log any more.
  stdout.off('error', readerGone);
  await configured(file, run);
  // What is stuck in a file system would keep the process.
  process.exit();
}

function configured(file: string | undefined, action: (config: Config) => Promise<number>): Promise<void> {
  return loadedConfig(file, ({ config }) => action(config));
}

async function loadedConfig(file: string | undefined, action: (loaded: Loaded) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await action(await loadConfig({ config: file, env, checkUri }));
  } catch (error) {
    if (error instanceof UsageError) {
      stderr.write(`${error.message}\n`);
      process.exitCode = 2;
      return;
    }
    if (!(error instanceof ConfigError)) throw error;
    stderr.write(`${renderProblems(error.problems)}\n`);
    process.exitCode = 2;
  }
}
