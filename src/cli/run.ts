import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import type { Reports } from '../app/page.ts';
import { mainOfAll } from '../app/renewal.ts';
import { FolderInUse } from '../app/stores.ts';
import type { Config } from '../config/config.ts';
import type { Loaded } from '../config/load.ts';
import { LogWriter } from '../util/log-writer.ts';
import type { Logger } from '../util/logger.ts';
import { createLogger } from '../util/pino.ts';
import { version } from '../util/version.ts';
import { type ExitCode, exitCode, type Output } from './terminal.ts';

/** Milliseconds in which the last log lines may be read. */
const lastLines = 500;

/** With more VMs, collecting garbage this often would cost more than the polls. */
const fewVms = 20;
/** With more VMs, a sample of all of them does not fit into 2 MiB, and most of a poll would be collecting garbage. */
const manyVms = 100;

/**
 * For the rest of this process: with few VMs, V8 collects garbage before it lets the heap grow; with many, the young
 * generation may grow after all.
 */
export function boundMemory(vms: number): void {
  if (vms <= fewVms) setFlagsFromString('--optimize-for-size');
  else if (vms > manyVms) setFlagsFromString('--semi-space-growth-factor=2');
}

/** `dsm2mqtt run`: the bridge, until SIGTERM or SIGINT; a second one ends it at once. 0; 1: another bridge is in the way. */
export async function run({ config, loaded }: { config: Config; loaded: Loaded }): Promise<ExitCode> {
  const output = new LogWriter(process.stdout, lines =>
    logger.warn({ event: 'log.dropped', lines }, 'lines of this log were dropped: nobody read them in time'),
  );
  const logger = createLogger({ ...config.log, destination: output });
  const code = await serve(config, logger, reportsOf(loaded));
  await output.flush(lastLines);
  return code;
}

async function serve(config: Config, logger: Logger, reports: Reports): Promise<ExitCode> {
  const stop = new AbortController();
  process.on('SIGTERM', signalled).on('SIGINT', signalled);
  function signalled(signal: NodeJS.Signals): void {
    if (stop.signal.aborted) process.exit(1);
    logger.info({ event: 'bridge.stopping', signal }, 'stopping; the VMs are left as they are');
    stop.abort();
  }
  logger.info(
    { event: 'bridge.starting', version, instance: config.instance, node: process.versions.node },
    'dsm2mqtt',
  );
  try {
    const bridge = await mainOfAll(config, logger, { signal: stop.signal, composed: boundMemory, reports });
    const stopped = stop.signal.aborted ? null : once(stop.signal, 'abort').then(() => null);
    const reason = await Promise.race([stopped, bridge.refused]);
    if (reason !== null) logger.error({ event: 'bridge.refused', reason }, 'stopping');
    await bridge.close();
    logger.info({ event: 'bridge.stopped' }, 'stopped');
    return reason === null ? exitCode.succeeded : exitCode.failed;
  } catch (error) {
    // It had not begun.
    if (stop.signal.aborted) return exitCode.succeeded;
    if (!(error instanceof FolderInUse)) throw error;
    logger.error({ event: 'bridge.refused', reason: error.message }, 'not started');
    return exitCode.failed;
  }
}

/** Milliseconds for libvirt and the loader's image. */
const planPatience = 60_000;

/** Other verbs of this command line, whose output a page shows. */
function reportsOf(loaded: Loaded): Reports {
  return {
    dump: () => printed(async output => (await import('./dump/dump.ts')).dump({ loaded, ...output })),
    plan: key =>
      printed(async output => {
        const signal = AbortSignal.timeout(planPatience);
        const [{ ofHost }, { rebuildPlan }] = await Promise.all([
          import('./domains.ts'),
          import('./loader/rebuild.ts'),
        ]);
        const config = await ofHost(loaded.config, key, signal);
        return await rebuildPlan({ ...output, config, vm: key, json: false, dry: false, signal });
      }),
  };
}

/** What a verb prints; rejects with its complaint if that is all. */
async function printed(print: (output: Output) => Promise<number>): Promise<string> {
  const [text, complaint] = [[] as string[], [] as string[]];
  const into = (lines: string[]) => ({ write: (line: string) => lines.push(line) });
  await print({ stdout: into(text), stderr: into(complaint) });
  if (text.length === 0) throw new Error(complaint.join('').trim() || 'nothing is known of it');
  return text.join('');
}
