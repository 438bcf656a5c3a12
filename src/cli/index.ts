import { Command, CommanderError } from 'commander';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, renderProblems } from '../config/problem.ts';
import { parseUri } from '../libvirt/uri.ts';
import { version } from '../version.ts';
import { checkConfig } from './check-config.ts';
import { run } from './run.ts';
import { printSchema } from './schema.ts';
import { status } from './status.ts';

/** The command line. Exit codes: 0 succeeded, 1 failed or refused, 2 wrong usage or configuration, 3 not reached, 4 timed out. */

const { env, stdout, stderr } = process;

// `status | head` is no failure.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const program = new Command('dsm2mqtt')
  .description('A Synology DSM virtual machine on libvirt, as Home Assistant entities over MQTT')
  .version(version)
  .exitOverride();

withConfig(program.command('run').description('run the bridge until SIGTERM or Ctrl-C')).action(async ({ config }) => {
  await configured(config, run);
  // What is stuck in a file system would keep the process.
  process.exit();
});

withConfig(program.command('status').description('ask libvirt how the VMs are; needs no broker'))
  .option('--json', 'print JSON', false)
  .action(({ config, json }) => configured(config, loaded => status({ config: loaded, json, stdout, stderr })));

withConfig(program.command('check-config').description('read the configuration and say what is wrong with it'))
  .option('--json', 'print JSON', false)
  .action(async ({ config, json }) => {
    process.exitCode = await checkConfig({ config, json, env, stdout, stderr, checkUri });
  });

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
    parseUri(uri, { readOnly, runtimeDir: env['XDG_RUNTIME_DIR'] });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function withConfig(command: Command): Command {
  return command.option(
    '-c, --config <file>',
    'the configuration file (default: $DSM2MQTT_CONFIG, ./config.yaml, /config/config.yaml)',
  );
}

async function configured(file: string | undefined, action: (config: Config) => Promise<number>): Promise<void> {
  try {
    const { config } = await loadConfig({ config: file, env, checkUri });
    process.exitCode = await action(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    stderr.write(`${renderProblems(error.problems)}\n`);
    process.exitCode = 2;
  }
}
