import { Command, CommanderError } from 'commander';
import { libvirtUri } from '../app/host/libvirt.ts';
import type { Config } from '../config/config.ts';
import { ConfigError, renderProblems } from '../config/problem.ts';
import { version } from '../util/version.ts';
import { healthKeeper } from './start/quick-health.ts';
import { exitCode, Refusal, told } from './terminal.ts';
import { type Verb, verbs } from './verbs.ts';

/** The command line. Exit codes: 0 succeeded, 1 failed or refused, 2 wrong usage or configuration, 3 not reached, 4 timed out. */

const { env, stdin, stdout, stderr } = process;

const program = new Command('dsm2mqtt')
  .description('A Synology DSM virtual machine on libvirt, as Home Assistant entities over MQTT')
  .version(version)
  .exitOverride();
for (const verb of verbs) define(verb);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? exitCode.succeeded : exitCode.usage;
}

function define(verb: Verb): void {
  const { name, summary, args = {}, options = [], config } = verb;
  const command = program.command(name).description(summary);
  for (const [arg, meaning] of Object.entries(args)) command.argument(arg, meaning);
  if (config !== undefined) {
    const places = '$DSM2MQTT_CONFIG, ./config.yaml, /config/config.yaml';
    command.option('-c, --config <file>', `the configuration file (default: ${places})`);
  }
  for (const [flags, description, fallback] of options) command.option(flags, description, fallback);
  command.action(async () => {
    const given = command.registeredArguments.map((argument, at) => [argument.name(), command.processedArgs[at]]);
    await perform(verb, { ...command.opts(), ...Object.fromEntries(given) });
  });
}

/** Arguments and options by name: those that are looked at here. */
interface Given {
  vm?: string;
  config?: string;
  direct?: boolean;
  define?: boolean;
  what?: string;
}

async function perform(verb: Verb, given: Given): Promise<void> {
  if (verb.acts === true || verb.acts?.(given)) {
    for (const output of [stdout, stderr]) output.removeAllListeners('error').on('error', () => {});
  }
  const streams = { stdin, stdout, stderr };
  try {
    if (given.config === '') throw new Refusal(exitCode.usage, '--config names no file: it is empty');
    const configuration = await configurationOf(verb, given);
    process.exitCode = await verb.run({ ...given, ...streams, ...configuration } as never);
  } catch (error) {
    const wrong = error instanceof ConfigError && new Refusal(exitCode.usage, renderProblems(error.problems));
    process.exitCode = told(wrong || error, stderr);
  }
  // Otherwise a hanging file system could keep the process running.
  if (verb.serves) process.exit();
}

async function configurationOf({ config: kind, name, serves, interruptible }: Verb, { config, vm, direct }: Given) {
  if (kind === undefined) return {};
  if (kind === 'named') return { env, checkUri };
  const { loadConfig } = await import('../config/load.ts');
  const keepForHealth = healthKeeper(config, env);
  const loaded = await loadConfig({ config, env, checkUri });
  if (serves || name === 'health') keepForHealth(loaded.config);
  // Not before: while the file hangs, Ctrl-C ends the process.
  const signal = interruptible === true || (interruptible === 'direct' && direct) ? interrupted() : undefined;
  if (kind === 'written') return { config: loaded.config, loaded, signal };
  if (kind === 'loaded') return { config: await withEveryDomain(loaded.config, signal), signal };
  return { config: await (await import('./domains.ts')).ofHost(loaded.config, vm ?? '', signal), signal };
}

async function withEveryDomain(config: Config, signal: AbortSignal | undefined): Promise<Config> {
  if (config.templates.length === 0) return config;
  const { expanded } = await import('../app/every-domain.ts');
  return expanded(config, signal);
}

function checkUri(uri: string, readOnly: boolean): string | null {
  try {
    libvirtUri({ uri, readOnly });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Ctrl-C and SIGTERM. The VM is left as it is. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}
