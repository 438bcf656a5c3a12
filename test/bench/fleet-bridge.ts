import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineVms, type Member } from '../brokers/fleet.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';

export interface Bridge {
  number: number;
  /** Where everything is. */
  folder: string;
  urls: readonly string[];
  vms: number;
}

export interface Made extends Member {
  daemon: FakeLibvirtd;
  config: string;
}

/** The libvirtd of a bridge, and its configuration. Each begins at another node. */
export async function prepare({ number, folder, urls, vms }: Bridge): Promise<Made> {
  const base = `b${number}`;
  const place = join(folder, base);
  await mkdir(place);
  const daemon = await FakeLibvirtd.listen({ path: join(place, 'libvirt-sock') });
  defineVms(daemon, number, vms);
  const first = number % urls.length;
  const config = join(place, 'config.yaml');
  const lines = [
    `instance: ${base}`,
    `mqtt: { url: ${JSON.stringify([...urls.slice(first), ...urls.slice(0, first)])}, base_topic: ${base} }`,
    'home_assistant: { discovery_prefix: ha, status_topic: ha/status }',
    `libvirt: { uri: "${daemon.uri}" }`,
    `data_dir: ${place}`,
    'health: { listen: "off" }',
    'vms:',
    ...daemon.domains.map(
      ({ name }) => `  - { domain: ${name}, commands: [autostart], checks: { schedule: never, deep_schedule: never } }`,
    ),
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  return { base, daemon, config };
}
