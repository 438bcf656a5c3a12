import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestInterface } from '../../src/libvirt/structs.ts';
import { virsh } from '../lab/lab.ts';
import type { Witness } from './witness.ts';

/** What virsh says of the daemon at this URI. */
export function virshWitness(uri: string): Witness {
  const ask = (...args: string[]) => virsh('-c', uri, ...args);
  return {
    names: async () => (await ask('list', '--all', '--name')).split('\n').filter(Boolean),
    identity: async name => {
      const { UUID: uuid = '', Id: id } = table(await ask('dominfo', name));
      return { uuid, id: id === '-' ? -1 : Number(id) };
    },
    state: async name => {
      const words = await ask('domstate', name, '--reason');
      const numbers = states[words];
      if (!numbers) throw new Error(`virsh says '${words}', which this table has not`);
      return { state: numbers[0], reason: numbers[1] };
    },
    info: async name => {
      const rows = table(await ask('dominfo', name));
      return {
        persistent: rows['Persistent'] === 'yes',
        autostart: rows['Autostart'] === 'enable',
      };
    },
    xml: async (name, { inactive = false } = {}) =>
      `${await ask('dumpxml', name, ...(inactive ? ['--inactive'] : []))}\n`,
    stats: async name => {
      const groups = ['--state', '--cpu-total', '--balloon', '--vcpu', '--interface', '--block'];
      const rows = (await ask('domstats', name, ...groups)).split('\n').flatMap(row => {
        const [, key, value = ''] = /^ {2}([^=]+)=(.*)$/.exec(row) ?? [];
        return key === undefined ? [] : [[key, parameter(key, value)] as const];
      });
      return Object.fromEntries(rows);
    },
    blockInfo: async (name, path) => {
      const rows = table(await ask('domblkinfo', name, path));
      return {
        allocation: leading(rows['Allocation']),
        capacity: leading(rows['Capacity']),
        physical: leading(rows['Physical']),
      };
    },
    leases: async name => {
      const rows = await ask('domifaddr', name, '--full').catch(() => null);
      return rows === null ? null : interfaces(rows);
    },
    host: async () => {
      const versions = await ask('version', '--daemon');
      return {
        hostname: await ask('hostname'),
        libvirt: /daemon: (\S+)/.exec(versions)?.[1] ?? '',
        hypervisor: /hypervisor: \S+ (\S+)/.exec(versions)?.[1] ?? '',
      };
    },

    start: async name => void (await ask('start', name)),
    destroy: async name => void (await ask('destroy', name)),
    define: xml => withFile(xml, file => ask('define', file)),
    undefine: async name => void (await ask('undefine', name)),
    create: xml => withFile(xml, file => ask('create', file)),
  };
}

async function withFile(xml: string, use: (file: string) => Promise<unknown>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'domain-'));
  try {
    await writeFile(join(folder, 'domain.xml'), xml);
    await use(join(folder, 'domain.xml'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** virsh's words to libvirt's numbers: a second opinion on ours. */
const states: Record<string, readonly [number, number]> = {
  'running (unknown)': [1, 0],
  'running (booted)': [1, 1],
  'running (unpaused)': [1, 5],
  'running (event wakeup)': [1, 8],
  'paused (user)': [3, 1],
  'pmsuspended (unknown)': [7, 0],
  'shut off (unknown)': [5, 0],
  'shut off (shutdown)': [5, 1],
  'shut off (destroyed)': [5, 2],
  'shut off (crashed)': [5, 3],
};

/** Lines of name, MAC, protocol and `address/prefix` below a head. */
function interfaces(text: string): GuestInterface[] {
  const rows = [...text.matchAll(/^ (\S+) +(\S+) +(ipv4|ipv6) +(\S+)\/(\d+)$/gm)];
  return rows.map(([, name = '', mac = '', type, address = '', prefix]) => ({
    name,
    mac,
    addresses: [{ type: type === 'ipv4' ? 0 : 1, address, prefix: Number(prefix) }],
  }));
}

/** `Key:   value` lines. */
function table(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(.+?):\s+(.*)$/gm)].map(([, key = '', value = '']) => [key, value]));
}

function leading(text = ''): number {
  return Number.parseInt(text, 10);
}

function parameter(key: string, value: string): number | boolean | string {
  if (key.endsWith('.name') || key.endsWith('.path')) return value;
  if (value === 'yes' || value === 'no') return value === 'yes';
  return Number(value);
}
