import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join, relative } from 'node:path';
import { expanded } from '../../app/every-domain.ts';
import { type Config, type HostConfig, hostConfigs } from '../../config/config.ts';
import type { Loaded } from '../../config/load.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { version } from '../../util/version.ts';
import { identify } from '../../vm/read.ts';
import type { Watch } from '../../vm/watch.ts';
import { summarize } from '../check-config.ts';
import { withDomains } from '../domains.ts';
import { askReady } from '../health.ts';
import { type ExitCode, exitCode, type Output, Refusal } from '../terminal.ts';
import { Anonymizer } from './anonymizer.ts';

export interface DumpOptions extends Output {
  loaded: Loaded;
  /** Default: standard output. */
  output?: string | undefined;
}

/** Milliseconds for each thing that is asked. */
const patience = 5_000;

/**
 * `dsm2mqtt dump`: prints what helps to understand a problem, as JSON without secrets, serial numbers, MACs and
 * addresses. A missing part says why. 0; 1: it cannot be written.
 */
export async function dump({ loaded, output, stdout, stderr }: DumpOptions): Promise<ExitCode> {
  const config = await expanded(loaded.config);
  const { listen } = config.health;
  const anonymizer = new Anonymizer(secretsOf(config));
  const [bridge, libvirt, files] = await Promise.all([
    orWhy(async () => (listen ? askReady(listen) : { unknown: 'health.listen is off' })),
    askHosts(hostConfigs(config), anonymizer),
    orWhy(() => list(config.dataDir)),
  ]);
  const document = anonymizer.document({
    dsm2mqtt: version,
    at: new Date().toISOString(),
    node: process.versions.node,
    system: `${process.platform} ${process.arch} ${release()}`,
    user: process.getuid?.() ?? null,
    groups: process.getgroups?.() ?? null,
    configuration: summarize(loaded),
    bridge,
    libvirt,
    data_dir: files,
  });
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (output === undefined) {
    stdout.write(text);
    return exitCode.succeeded;
  }
  try {
    // Never overwrites a file: it may be something else.
    await writeFile(output, text, { flag: 'wx', mode: 0o600 });
    stderr.write(`${output} is written. Look it through before you show it to others.\n`);
    return exitCode.succeeded;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // What a full disk has taken of it would stay.
    if (code !== 'EEXIST') await rm(output, { force: true }).catch(() => {});
    throw new Refusal(exitCode.failed, `${output}: ${message}`);
  }
}

async function orWhy(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return await ask();
  } catch (error) {
    const { message, cause } = error as Error;
    return { unknown: cause instanceof Error ? `${message}: ${cause.message}` : message };
  }
}

async function askHosts(hosts: readonly HostConfig[], anonymizer: Anonymizer): Promise<unknown> {
  const answers = hosts.map(
    async host => [host.libvirt.name, await orWhy(() => askLibvirt(host, anonymizer))] as const,
  );
  const all = await Promise.all(answers);
  return all[0]?.[0] === null ? all[0][1] : Object.fromEntries(all);
}

function askLibvirt(config: HostConfig, anonymizer: Anonymizer): Promise<unknown> {
  const ask = async (client: Libvirt, watch: Watch) => {
    const vms = config.vms.map(async ({ key }) => [key, await orWhy(() => askDomain(client, watch, key, anonymizer))]);
    return { ...(await identify(client)), vms: Object.fromEntries(await Promise.all(vms)) };
  };
  return withDomains(config, ask, AbortSignal.timeout(patience));
}

async function askDomain(client: Libvirt, watch: Watch, key: string, anonymizer: Anonymizer): Promise<unknown> {
  const target = watch.target(key);
  if (!target) return { unknown: watch.missing(key) };
  const { domain, ref } = target;
  return { domain, xml: anonymizer.xml(await client.xml(ref, { timeout: patience })).split('\n') };
}

/** Names, sizes and times, but no content; in a container the cache is there, too, and is left out. */
async function list(folder: string): Promise<unknown> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  const own = files.filter(file => !file.startsWith(join(folder, 'cache/')));
  const rows = own.toSorted().map(async file => {
    // The bridge may have renamed it meanwhile.
    const now = await stat(file).catch(() => null);
    return now ? [{ file: relative(folder, file), bytes: now.size, modified: now.mtime.toISOString() }] : [];
  });
  return (await Promise.all(rows)).flat();
}

function secretsOf({ mqtt, vms }: Config): string[] {
  const all = [mqtt.password, ...vms.map(({ loader }) => loader?.ssh.password ?? null)];
  return all.filter(secret => secret !== null);
}
