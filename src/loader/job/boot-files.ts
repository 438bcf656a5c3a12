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

/** Resolves to the title that starts next. Rejects with `LoaderFailure`, `ImageError`, or as SSH does. */
export async function armFromWithin(
  session: SshSession,
  adapter: LoaderAdapter,
  loaderBus: string | null,
  signal: AbortSignal,
): Promise<string> {
  const builder = new Builder(session, signal);
  const disk = await builder.findDisk();
  const first = await builder.mounted(disk, async folder => {
    const { config, env, place } = await builder.readFiles(folder);
    const titles = readMenu(config, env).entries.map(entry => entry.title);
    const title = adapter.bootEntry(titles, 'dsm', loaderBus);
    if (title === null) throw new LoaderFailure('no_dsm_entry', "The loader's boot menu has no entry for DSM.");
    const index = titles.indexOf(title);
    const armed = arm({ config, env }, index);
    if (armed.config !== config) await upload(session, `${place}/grub.cfg`, Buffer.from(armed.config), { signal });
    if (armed.env && armed.env !== env) {
      await upload(session, `${place}/grubenv`, formatGrubEnv(armed.env), { signal });
    }
    return { title, index };
  });
  // From the disk again, and not from memory.
  const next = await builder.mounted(disk, async folder => {
    const { config, env } = await builder.readFiles(folder);
    return readMenu(config, env).next;
  });
  if (next === first.index) return first.title;
  throw new LoaderFailure('cannot_arm', "The loader's boot menu is not what was written to it.");
}

class Builder {
  readonly #session: SshSession;
  readonly #signal: AbortSignal;

  constructor(session: SshSession, signal: AbortSignal) {
    this.#session = session;
    this.#signal = signal;
  }

  /** `sdc`. TinyCore knows its own disk by its extensions' folder; `rploader.sh` finds it among the mounts. */
  async findDisk(): Promise<string> {
    const fromFolder = "readlink -f /etc/sysconfig/tcedir | sed -n 's|^/mnt/\\([a-z]*\\)[0-9]*/.*|\\1|p'";
    const fromMounts = "mount | grep -i optional | grep cde | awk -F / '{print $3}' | uniq | sed 's/[0-9]*$//'";
    const text = await this.#say(`d=$(${fromFolder}); [ -n "$d" ] || d=$(${fromMounts}); echo "disk=$d."`);
    const [, disk] = /disk=([a-z]{3,8})\./.exec(text) ?? [];
    if (disk !== undefined) return disk;
    throw new LoaderFailure(
      'no_loader_disk',
      'The image builder does not know which disk is its own.',
      "Attach the loader's image on USB; on another bus it starts without its own files.",
    );
  }

  /** Partition 1 in a folder of its own for as long as `use` takes; on the disk when it resolves. */
  async mounted<T>(disk: string, use: (folder: string) => Promise<T>): Promise<T> {
    const failure = (what: string, advice: string | null) =>
      new LoaderFailure(
        'mount_failed',
        `The boot partition /dev/${disk}1 cannot be ${what} in the image builder.`,
        advice,
      );
    const mount = `m=$(mktemp -d /tmp/boot.XXXXXX) && sudo mount -t vfat -o umask=000 /dev/${disk}1 "$m" && echo "at=$m."`;
    const [, folder] = /at=(\S+)\./.exec(await this.#say(mount)) ?? [];
    if (folder === undefined) throw failure('mounted', 'A power-off and a new start often help.');
    const leave = () => this.#say(`sync; sudo umount ${folder} && rmdir ${folder} && echo left.`);
    const result = await use(folder).catch(async error => {
      await leave().catch(() => {});
      throw error;
    });
    if (!(await leave()).includes('left.')) throw failure('unmounted', null);
    return result;
  }

  async readFiles(folder: string): Promise<GrubFiles & { place: string }> {
    const tried = folders.map(each => `${folder}/${each}`).join(' ');
    const found = await this.#say(
      `for f in ${tried}; do if [ -e $f/grub.cfg ]; then echo "in=$f."; [ -e $f/grubenv ] && echo env.; break; fi; done`,
    );
    const [, place] = /in=(\S+)\.\s/.exec(`${found}\n`) ?? [];
    if (place === undefined) throw new LoaderFailure('no_grub', 'The boot partition has no grub.cfg.');
    const read = (name: string) => download(this.#session, `${place}/${name}`, { signal: this.#signal });
    const config = (await read('grub.cfg')).toString('utf8');
    const env = found.includes('env.') ? parseGrubEnv(await read('grubenv')) : null;
    return { config, env, place };
  }

  async #say(command: string): Promise<string> {
    const limits = { silence: within, deadline: within, signal: this.#signal };
    return (await runCommand(this.#session, command, limits)).tail;
  }
}
