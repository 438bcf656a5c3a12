import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { topics } from '../../src/model/topics.ts';
import { type Published, SinkBroker } from './broker.ts';
import { BenchLibvirtd } from './libvirtd.ts';

/** A libvirtd and a broker for one measured process, and the configuration that leads a bridge to them. */
export interface Peers extends AsyncDisposable {
  libvirtd: BenchLibvirtd;
  broker: SinkBroker;
  config: string;
  domains: number;
}

/** What somebody asked libvirt, how many answers came of it, and what was said to the broker. */
export interface Exchange {
  ask: Buffer;
  answers: number;
  say: Buffer;
}

export const topic = topics('dsm2mqtt');

/** What a check costs is measured by itself; these would ask the network of the machine. */
const unchecked = 'checks: { schedule: never, deep_schedule: never }';

export interface PeersOptions {
  /** What the configuration says of every VM, YAML. */
  checks?: string;
  /** Lines of the configuration of the bridge, YAML. */
  more?: readonly string[];
  /** URI of a second host. */
  second?: string;
}

export async function startPeers(domains = 1, { more = [], ...options }: PeersOptions = {}): Promise<Peers> {
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-bench-'));
  const libvirtd = await BenchLibvirtd.listen(folder, domains);
  const broker = await SinkBroker.listen();
  const config = join(folder, 'config.yaml');
  const names = libvirtd.fake.domains.map(domain => domain.name);
  const uri = `qemu+unix:///system?socket=${libvirtd.path}`;
  await writeFile(config, [...more, configuration(folder, uri, broker.port, names, options)].join('\n'));
  return {
    libvirtd,
    broker,
    config,
    domains,
    async [Symbol.asyncDispose]() {
      await libvirtd[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * From now on until so many topics that match have been published: these publications, the calls before them (only
 * `procedures`, if given), and when the last one came.
 */
export async function overhear(
  { libvirtd, broker }: Peers,
  match: (message: Published) => boolean,
  { count = 1, procedures }: { count?: number; procedures?: readonly { number: number }[] } = {},
): Promise<Exchange & { at: number }> {
  const asked: Buffer[] = [];
  const said = new Map<string, Buffer>();
  using _ = libvirtd.called.each(({ procedure, bytes }) => {
    if (!procedures || procedures.some(({ number }) => number === procedure)) asked.push(Buffer.from(bytes));
  });
  const isLast = (message: Published) => {
    if (match(message)) said.set(message.topic, Buffer.from(message.packet));
    return said.size === count;
  };
  const { at } = await broker.published.next(isLast, `${count} topics`, 180_000);
  return { ask: Buffer.concat(asked), answers: asked.length, say: Buffer.concat([...said.values()]), at };
}

/** Is it a VM's? */
export function isSample({ topic: name }: Published): boolean {
  return name.endsWith('/stats');
}

/** Of a VM that libvirt has told about. */
export function isState({ topic: name, payload }: Published): boolean {
  return name.endsWith('/state') && /"state":"(?:running|paused)"/.test(payload.toString());
}

/** The configuration of a bridge, YAML. */
export function configuration(
  folder: string,
  uri: string,
  port: number,
  domains: readonly string[],
  { checks = unchecked, second }: Omit<PeersOptions, 'more'> = {},
) {
  const host = (more: string) => `{ ${more}, stats_interval: 1s }`;
  const hosts = [`name: one, uri: "${uri}"`, `name: two, uri: "${second}"`].map(host).join(', ');
  return [
    `mqtt: { url: "mqtt://127.0.0.1:${port}" }`,
    `libvirt: ${second === undefined ? host(`uri: "${uri}"`) : `[${hosts}]`}`,
    `data_dir: ${folder}`,
    'vms:',
    ...domains.map(name => `  - { domain: ${name}, ${second === undefined ? '' : 'on: one, '}${checks} }`),
    ...(second === undefined ? [] : [`  - { domain: there, on: two, ${unchecked} }`]),
    '',
  ].join('\n');
}
