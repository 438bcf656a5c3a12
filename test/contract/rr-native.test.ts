import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Ran, rrContract } from './rr.ts';

const guest = fileURLToPath(new URL('../lab/guest', import.meta.url));

/** RR's folders, with little files for DSM's kernel and initramfs. */
const make = `set -eu
here=$1 root=$2
. "$here/rr/disk.sh"
mkdir -p "$root"/tmp "$root"/root
cp -R "$here/rr/initrd/." "$root"
synology_pats >"$root/srv/synology/pats"
grep -rlIZ '^#!' "$root" | xargs -0 chmod +x
echo kernel >"$root/tmp/kernel"
gzip <"$root/tmp/kernel" >"$root/tmp/rd.gz"
rr_disk "$root/mnt" "$root/tmp/kernel" "$root/tmp/rd.gz"
echo 'export LOADER_DISK=/dev/sdc' >"$root/root/.mountloader"
`;

rrContract("the lab's menu.sh, on this machine", async () => {
  const root = await mkdtemp(join(tmpdir(), 'rr-'));
  await promisify(execFile)('bash', ['-c', make, 'make', guest, root]);
  return {
    run: (script, { open = false, within = 120_000 } = {}) => run(root, script, open, within),
    fault: names => writeFile(join(root, 'mnt/p1/lab/faults'), names.join('\n')),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true, maxRetries: 5 }),
  };
});

async function run(root: string, script: string, open: boolean, within: number): Promise<Ran> {
  const env = { PATH: process.env['PATH'], HOME: join(root, 'root'), CHROOT_PATH: root };
  const child = spawn('bash', ['-c', script], {
    env,
    stdio: [open ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', text => (output += text));
  let hangs = false;
  const timer = setTimeout(() => {
    hangs = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, within);
  const [code] = await once(child, 'close');
  clearTimeout(timer);
  return { code: hangs ? null : code, output };
}
