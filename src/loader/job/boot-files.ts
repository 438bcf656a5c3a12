import { runCommand } from '../../ssh/command.ts';
import type { SshSession } from '../../ssh/session.ts';
import { download, upload } from '../../ssh/transfer.ts';
import { menuOf, menuPaths, setEntry } from '../image/boot-entry.ts';
import type { LoaderAdapter } from '../kinds/adapter.ts';
import { LoaderFailure } from './failure.ts';

/**
 * Sets the boot menu over SSH, inside the image builder, whose own disk is the loader's: from then on every reboot starts
 * DSM. The rules are those of `image/boot-entry.ts`.
 */

/** Milliseconds for each command. */
const within = 30_000;

/** Resolves to the title that starts next. Rejects with `LoaderFailure`, `ImageError`, or as SSH does. */
export async function armFromWithin(
  session: SshSession,
  adapter: LoaderAdapter,
  loaderBus: string | null,
  signal: AbortSignal,
): Promise<string> {
  const say = async (command: string) =>
    (await runCommand(session, command, { silence: within, deadline: within, signal })).tail;
  const disk = await findDisk(say);
  const filesIn = (folder: string) => filesOf(session, folder, say, signal);
  const choose = (titles: readonly string[]) => {
    const title = adapter.bootEntry(titles, 'dsm', loaderBus);
    if (title !== null) return title;
    throw new LoaderFailure('no_dsm_entry', "The loader's boot menu has no entry for DSM.");
  };
  const { title } = await mounted(disk, say, folder => setEntry(filesIn(folder), choose));
  // Mounted again: this reads the disk, not the page cache.
  const { next } = await mounted(disk, say, folder => menuOf(filesIn(folder)));
  if (next === title) return title;
  throw new LoaderFailure('cannot_arm', "The loader's boot menu is not what was written to it.");
}

/** Resolves to the last of what a command prints. */
type Say = (command: string) => Promise<string>;

/** `sdc`. TinyCore knows its own disk by its extensions' folder; `rploader.sh` finds it among the mounts. */
async function findDisk(say: Say): Promise<string> {
  const fromFolder = "readlink -f /etc/sysconfig/tcedir | sed -n 's|^/mnt/\\([a-z]*\\)[0-9]*/.*|\\1|p'";
  const fromMounts = "mount | grep -i optional | grep cde | awk -F / '{print $3}' | uniq | sed 's/[0-9]*$//'";
  const text = await say(`d=$(${fromFolder}); [ -n "$d" ] || d=$(${fromMounts}); echo "disk=$d."`);
  const [, disk] = /disk=([a-z]{3,8})\./.exec(text) ?? [];
  if (disk !== undefined) return disk;
  throw new LoaderFailure(
    'no_loader_disk',
    'The image builder does not know which disk is its own.',
    "Attach the loader's image on USB; on another bus it starts without its own files.",
  );
}

/** Mounts partition 1 while `use` runs. What `use` wrote is on the disk when this resolves. */
async function mounted<T>(disk: string, say: Say, use: (folder: string) => Promise<T>): Promise<T> {
  const failure = (what: string, advice: string | null) =>
    new LoaderFailure(
      'mount_failed',
      `The boot partition /dev/${disk}1 cannot be ${what} in the image builder.`,
      advice,
    );
  const mount = `m=$(mktemp -d /tmp/boot.XXXXXX) && sudo mount -t vfat -o umask=000 /dev/${disk}1 "$m" && echo "at=$m."`;
  const [, folder] = /at=(\S+)\./.exec(await say(mount)) ?? [];
  if (folder === undefined) throw failure('mounted', 'A power-off and a new start often help.');
  const leave = () => say(`sync; sudo umount ${folder} && rmdir ${folder} && echo left.`);
  const result = await use(folder).catch(async error => {
    await leave().catch(() => {});
    throw error;
  });
  if (!(await leave()).includes('left.')) throw failure('unmounted', null);
  return result;
}

function filesOf(session: SshSession, folder: string, say: Say, signal: AbortSignal): Parameters<typeof setEntry>[0] {
  return {
    list: async () => {
      const search = `cd ${folder} && for f in ${menuPaths.join(' ')}; do [ ! -e $f ] || echo "at=$f."; done`;
      const found = `${await say(search)}\n`.matchAll(/at=(\S+)\.\s/g);
      const paths = [...found].map(([, path = '']) => path);
      if (paths.some(path => path.endsWith('grub.cfg'))) return paths;
      throw new LoaderFailure('no_grub', 'The boot partition has no grub.cfg.');
    },
    read: path => download(session, `${folder}/${path}`, { signal }),
    replace: (path, content) => upload(session, `${folder}/${path}`, content, { signal }),
  };
}
