import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { poll, virsh } from './lab.ts';
import { accessControl, busOf, type Polkit, startPolkit } from './polkit.ts';
import { reachable } from './processes.ts';

const libvirtdConf = (access: string) => `unix_sock_group = "root"
unix_sock_rw_perms = "0777"
auth_unix_ro = "none"
host_uuid = "00000000-0000-4000-8000-00000000002b"
${access}
`;
const qemuConf = `user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
remember_owner = 0
stdio_handler = "file"
`;

/** Where `scripts/lab --with home-assistant` has the other Debian release, with an older libvirt and QEMU. */
export const otherRoot = '/other-release';

/** A second libvirtd of this machine, whose folders are its own: as if it were another host's. */
export class SecondHost implements AsyncDisposable {
  readonly folder: string;
  /** Its own; null: its libvirtd asks nobody. */
  readonly polkit: Polkit | null;
  readonly #child: ChildProcess;

  private constructor(folder: string, polkit: Polkit | null, child: ChildProcess) {
    this.folder = folder;
    this.polkit = polkit;
    this.#child = child;
  }

  /** `root`: the file system that it runs in. */
  static async start({ root = '', asks = false } = {}): Promise<SecondHost> {
    const folder = await mkdtemp(join(tmpdir(), 'second-host-'));
    // Its socket is for others, too.
    await chmod(folder, 0o755);
    const polkit = asks ? await startPolkit(folder) : null;
    const own = {
      ...{ run: '/run/libvirt', lib: '/var/lib/libvirt', etc: '/etc/libvirt' },
      ...{ cache: '/var/cache/libvirt', log: '/var/log/libvirt' },
    };
    for (const name of Object.keys(own)) await mkdir(join(folder, name));
    await writeFile(join(folder, 'etc', 'libvirtd.conf'), libvirtdConf(asks ? accessControl : 'auth_unix_rw = "none"'));
    await writeFile(join(folder, 'etc', 'qemu.conf'), qemuConf);
    const script = [
      ...(root === '' ? [] : ['dev', 'proc', 'sys', 'tmp'].map(name => `mount --rbind /${name} ${root}/${name}`)),
      ...(root === '' ? [] : [`mount -t tmpfs -o mode=755 run ${root}/run`]),
      ...Object.entries(own).map(
        ([name, place]) => `mkdir -p ${root}${place} && mount --bind ${folder}/${name} ${root}${place}`,
      ),
      `exec ${root === '' ? '' : `chroot ${root} `}libvirtd -p ${folder}/pid`,
    ].join('\n');
    const child = spawn('unshare', ['--mount', '--propagation', 'private', 'bash', '-ec', script], {
      stdio: 'ignore',
      env: { ...process.env, ...(asks ? { DBUS_SYSTEM_BUS_ADDRESS: busOf(folder) } : {}) },
    });
    const host = new SecondHost(folder, polkit, child);
    await poll(() => reachable({ path: join(folder, 'run', 'libvirt-sock') }), { what: 'the second libvirtd' });
    return host;
  }

  get uri(): string {
    return `qemu+unix:///system?socket=${join(this.folder, 'run', 'libvirt-sock')}`;
  }

  virsh(...args: string[]): Promise<string> {
    return virsh('-c', this.uri, ...args);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGCONT');
    for (const name of (await this.virsh('list', '--name').catch(() => '')).split('\n').filter(Boolean)) {
      await this.virsh('destroy', name).catch(() => {});
    }
    const ended = once(this.#child, 'exit');
    this.signal('SIGTERM');
    await ended;
    await this.polkit?.[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The file of the definition of a guest that does nothing: it has no disk to start from. */
export async function diskless(name: string, uuid: string): Promise<string> {
  const file = join(tmpdir(), `${name}.xml`);
  const xml = `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features></domain>`;
  await writeFile(file, xml);
  return file;
}
