/** The product's image in a lab made `--with container`, run as the README and compose.yaml have it. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';

const run = promisify(execFile);
/** What test/lab/image.sh has built: `image.tar`, and `app.tar` for Home Assistant. */
const built = (name: string) => fileURLToPath(new URL(`../../node_modules/.cache/dsm2mqtt/${name}`, import.meta.url));
export const archive = built('image.tar');
export const image = 'localhost/dsm2mqtt:latest';
export const appImage = 'localhost/dsm2mqtt-app:latest';

/** Rejects with its stderr. */
export async function podman(...args: string[]): Promise<string> {
  const { stdout } = await run('podman', args, { maxBuffer: 64 << 20, timeout: 300_000 });
  return stdout.trimEnd();
}

export async function loadImage(name = 'image.tar'): Promise<void> {
  const archive = built(name);
  if (!existsSync('/opt/base')) throw new Error('these tests run in scripts/lab --with container');
  if (!existsSync(archive))
    throw new Error('there is no image yet: scripts/lab --with container --root-only builds it');
  await podman('load', '--quiet', '--input', archive);
}

export interface ContainerOptions {
  config: Record<string, unknown>;
  /** Of libvirt's socket; default: none. */
  group?: number;
  /** Default: what the lab has built. */
  from?: string;
}

export interface Container extends AsyncDisposable {
  readonly name: string;
  /** What its log has, parsed. */
  log(): Promise<Record<string, unknown>[]>;
  /** As `docker ps` would say in a while; there is no timer here. */
  healthy(): Promise<boolean>;
  /** Another process in it, as `docker exec`; rejects if it fails. */
  exec(...command: string[]): Promise<string>;
  /** As `docker stop`; resolves to the exit code. */
  stop(): Promise<number>;
}

/** Hardened as in compose.yaml. */
export async function startContainer({ config, group, from = image }: ContainerOptions): Promise<Container> {
  const folder = await mkdtemp(join(tmpdir(), 'container-'));
  const file = join(folder, 'config.yaml');
  await writeFile(file, stringify(config));
  const name = `dsm2mqtt-${randomUUID()}`;
  const dispose = async () => {
    await podman('rm', '--force', '--volumes', '--time', '0', name);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await podman(
      ...['run', '--detach', '--name', name, '--network=host'],
      ...['--read-only', '--cap-drop=all', '--security-opt=no-new-privileges'],
      ...(group === undefined ? [] : [`--group-add=${group}`]),
      ...['--volume', `${file}:/config/config.yaml:ro`, '--volume', `${name}:/data`],
      ...['--volume', '/run/libvirt:/run/libvirt', from],
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    name,
    async log() {
      const { stdout } = await run('podman', ['logs', name], { maxBuffer: 64 << 20 });
      return stdout.split('\n').flatMap(line => (line.startsWith('{') ? [JSON.parse(line)] : []));
    },
    healthy: () =>
      podman('healthcheck', 'run', name).then(
        () => true,
        () => false,
      ),
    exec: (...command) => podman('exec', name, ...command),
    async stop() {
      await podman('stop', '--time', '20', name);
      return Number(await podman('inspect', '--format', '{{.State.ExitCode}}', name));
    },
    [Symbol.asyncDispose]: dispose,
  };
}
