import { appendFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** A folder that looks like a host's `/sys` and `/proc`, as far as network devices, bridges and ARP go. */

export interface DeviceOptions {
  /** Default: up. */
  up?: boolean;
  /** Default: true while it is up; a device that is down does not say, as in the kernel. */
  carrier?: boolean;
  noArp?: boolean;
  /** A bus has it. */
  hardware?: boolean;
  /** Devices beneath a bond, a team or a VLAN. */
  over?: string[];
  /** A Linux bridge, and its own netfilter setting. */
  bridge?: { filtered?: boolean } | true;
}

export interface Entry {
  mac: string;
  port: number;
  local?: boolean;
  /** Seconds. */
  age: number;
}

export class FakeHost {
  readonly root: string;
  #ports = 0;

  private constructor(root: string) {
    this.root = root;
  }

  static async make(): Promise<FakeHost> {
    const host = new FakeHost(await mkdtemp(join(tmpdir(), 'host-')));
    await mkdir(join(host.root, 'sys/class/net'), { recursive: true });
    await mkdir(join(host.root, 'proc/net'), { recursive: true });
    return host;
  }

  async device(name: string, { up = true, carrier = true, ...rest }: DeviceOptions = {}): Promise<void> {
    const kept = this.#kept(name);
    await mkdir(kept, { recursive: true });
    const link = join(this.root, 'sys/class/net', name);
    await symlink(relative(join(this.root, 'sys/class/net'), kept), link);
    await writeFile(join(kept, 'flags'), `0x${(0x1002 + (up ? 1 : 0) + (rest.noArp ? 0x80 : 0)).toString(16)}\n`);
    // Of a device that is down the kernel refuses to read it.
    if (up) await writeFile(join(kept, 'carrier'), carrier ? '1\n' : '0\n');
    await writeFile(join(kept, 'operstate'), up && carrier ? 'up\n' : 'down\n');
    if (rest.hardware) {
      const bus = join(this.root, 'sys/devices/pci0000:00/0000:00:03.0');
      await mkdir(bus, { recursive: true });
      await symlink(relative(kept, bus), join(kept, 'device'));
    }
    for (const lower of rest.over ?? []) await symlink(`../${lower}`, join(kept, `lower_${lower}`));
    if (rest.bridge) {
      await mkdir(join(kept, 'bridge'));
      await mkdir(join(kept, 'brif'));
      const filtered = rest.bridge !== true && rest.bridge.filtered;
      await writeFile(join(kept, 'bridge/nf_call_iptables'), filtered ? '1\n' : '0\n');
      await writeFile(join(kept, 'brforward'), '');
    }
  }

  /** Plugs a device into a bridge, or under another master; resolves to its port's number. */
  async plug(name: string, master: string, { bridge = true } = {}): Promise<number> {
    const port = this.#kept(name);
    await symlink(`../${master}`, join(port, 'master'));
    if (!bridge) return 0;
    this.#ports += 1;
    await mkdir(join(port, 'brport'));
    await symlink(`../../${master}`, join(port, 'brport/bridge'));
    await writeFile(join(port, 'brport/port_no'), `0x${this.#ports.toString(16)}\n`);
    await symlink(`../../${name}/brport`, join(this.#kept(master), 'brif', name));
    await symlink(`../${name}`, join(this.#kept(master), `lower_${name}`));
    return this.#ports;
  }

  async hear(bridge: string, ...entries: Entry[]): Promise<void> {
    for (const entry of entries) await appendFile(join(this.#kept(bridge), 'brforward'), forwardingEntry(entry));
  }

  async netfilter(on: boolean): Promise<void> {
    await mkdir(join(this.root, 'proc/sys/net/bridge'), { recursive: true });
    await writeFile(join(this.root, 'proc/sys/net/bridge/bridge-nf-call-iptables'), on ? '1\n' : '0\n');
  }

  /** What the kernel knows of its neighbours: address, MAC, device; without a MAC it has not been told. */
  async arp(...rows: [address: string, mac: string | null, device?: string][]): Promise<void> {
    await writeFile(join(this.root, 'proc/net/arp'), arpTable(...rows));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true });
  }

  #kept(name: string): string {
    return join(this.root, 'sys/devices/virtual/net', name);
  }
}

/** In this machine's byte order, which is little-endian wherever the tests run. */
export function forwardingEntry({ mac, port, local = false, age }: Entry): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write(mac.replaceAll(':', ''), 'hex');
  bytes.writeUInt8(port & 0xff, 6);
  bytes.writeUInt8(local ? 1 : 0, 7);
  bytes.writeUInt32LE(age * 100, 8);
  bytes.writeUInt8(port >> 8, 12);
  return bytes;
}

/** The file's text, column for column as the kernel writes it. */
export function arpTable(...rows: [address: string, mac: string | null, device?: string][]): string {
  const lines = rows.map(([address, mac, device = 'br0']) => {
    const flags = mac === null ? '0x0' : '0x2';
    const columns = [address.padEnd(17), '0x1'.padEnd(12), flags.padEnd(12)];
    return `${columns.join('')}${mac ?? '00:00:00:00:00:00'}     *        ${device}\n`;
  });
  return `IP address       HW type     Flags       HW address            Mask     Device\n${lines.join('')}`;
}
