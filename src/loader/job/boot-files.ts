import { runCommand } from '../../ssh/command.ts';
import type { SshSession } from '../../ssh/session.ts';
import { download, upload } from '../../ssh/transfer.ts';
import type { LoaderAdapter } from '../adapter.ts';
import { arm, type GrubFiles } from '../image/boot-entry.ts';
import { readMenu } from '../image/grub/config.ts';
import { formatGrubEnv, parseGrubEnv } from '../image/grub/env.ts';
import { LoaderFailure } from './failure.ts';

/**
 * The boot menu changed from within the image builder, which has the loader's disk as its own: so that a reboot comes
 * home to DSM, whatever happens next. The same rules as from outside (`image/boot-entry.ts`), over SSH.
 */

/** Where loaders keep their menu. */
const folders = ['boot/grub', 'grub', 'efi/boot', '.'];
/** Milliseconds for each command. */
const within = 30_000;

/** Resolves to the title that starts next, and what started before. Rejects with `LoaderFailure`, `ImageError`, or as SSH does. */
export async function armFromWithin(
  session: SshSession,
  adapter: LoaderAdapter,
  loaderBus: string | null,
  signal: AbortSignal,
): Promise<string> {
  const disk = await findDisk(session, signal);
  const first = await mounted(session, disk, signal, async folder => {
    const { files, paths } = await readFiles(session, folder, signal);
    const { entries } = readMenu(files.config, files.env);
    const title = adapter.bootEntry(
      entries.map(entry => entry.title),
      'dsm',
      loaderBus,
    );
    if (title === null) throw new LoaderFailure('no_dsm_entry', "The loader's boot menu has no entry for DSM.");
    const index = entries.findIndex(entry => entry.title === title);
    const armed = arm(files, index);
    if (armed.config !== files.config) await upload(session, paths.config, Buffer.from(armed.config), { signal });
    if (armed.env && paths.env !== null && armed.env !== files.env) {
      await upload(session, paths.env, formatGrubEnv(armed.env), { signal });
    }
    return { title, index };
  });
  // From the disk again, and not from memory.
  const next = await mounted(session, disk, signal, async folder => {
    const { files } = await readFiles(session, folder, signal);
    return readMenu(files.config, files.env).next;
  });
  if (next === first.index) return first.title;
  throw new LoaderFailure('cannot_arm', "The loader's boot menu is not what was written to it.");
}

/** `sdc`. TinyCore knows its own disk by its extensions' folder; `rploader.sh` finds it among the mounts. */
async function findDisk(session: SshSession, signal: AbortSignal): Promise<string> {
  const fromFolder = "readlink -f /etc/sysconfig/tcedir | sed -n 's|^/mnt/\\([a-z]*\\)[0-9]*/.*|\\1|p'";
  const fromMounts = "mount | grep -i optional | grep cde | awk -F / '{print $3}' | uniq | sed 's/[0-9]*$//'";
  const text = await say(session, `d=$(${fromFolder}); [ -n "$d" ] || d=$(${fromMounts}); echo "disk=$d."`, signal);
  const [, disk] = /disk=([a-z]{3,8})\./.exec(text) ?? [];
  if (disk !== undefined) return disk;
  throw new LoaderFailure(
    'no_loader_disk',
    'The image builder does not know which disk is its own.',
    "Attach the loader's image on USB; on another bus it starts without its own files.",
  );
}

/** Partition 1 in a folder of its own for as long as `use` takes; on the disk when it resolves. */
async function mounted<T>(
  session: SshSession,
  disk: string,
  signal: AbortSignal,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const mount = `m=$(mktemp -d /tmp/boot.XXXXXX) && sudo mount -t vfat -o umask=000 /dev/${disk}1 "$m" && echo "at=$m."`;
  const [, folder] = /at=(\S+)\./.exec(await say(session, mount, signal)) ?? [];
  if (folder === undefined) {
    const message = `The boot partition /dev/${disk}1 cannot be mounted in the image builder.`;
    throw new LoaderFailure('mount_failed', message, 'A power-off and a new start often help.');
  }
  const leave = () => say(session, `sync; sudo umount ${folder} && rmdir ${folder} && echo left.`, signal);
  const result = await use(folder).catch(async error => {
    await leave().catch(() => {});
    throw error;
  });
  if (!(await leave()).includes('left.')) {
    throw new LoaderFailure(
      'mount_failed',
      `The boot partition /dev/${disk}1 cannot be unmounted in the image builder.`,
    );
  }
  return result;
}

async function readFiles(
  session: SshSession,
  folder: string,
  signal: AbortSignal,
): Promise<{ files: GrubFiles; paths: { config: string; env: string | null } }> {
  const tried = folders.map(each => `${folder}/${each}`);
  const search = `for f in ${tried.join(' ')}; do if [ -e $f/grub.cfg ]; then echo "in=$f."; [ -e $f/grubenv ] && echo env.; break; fi; done`;
  const found = await say(session, search, signal);
  const [, place] = /in=(\S+)\.\s/.exec(`${found}\n`) ?? [];
  if (place === undefined) throw new LoaderFailure('no_grub', 'The boot partition has no grub.cfg.');
  const paths = { config: `${place}/grub.cfg`, env: found.includes('env.') ? `${place}/grubenv` : null };
  const config = (await download(session, paths.config, { signal })).toString('utf8');
  const env = paths.env === null ? null : parseGrubEnv(await download(session, paths.env, { signal }));
  return { files: { config, env }, paths };
}

async function say(session: SshSession, command: string, signal: AbortSignal): Promise<string> {
  return (await runCommand(session, command, { silence: within, deadline: within, signal })).tail;
}
