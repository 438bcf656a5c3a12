import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Artefact, type Release, run } from './artefact.ts';

/**
 * The container's image for this machine's processor, `dsm2mqtt-VERSION-image.tar.gz` (for `zcat FILE | docker load`), and what it
 * consists of, `….cdx.json` (CycloneDX). It is built in the lab, on a base that the lab makes of Debian's packages; the
 * image that is published is built from the same Dockerfile on the base that the Dockerfile names.
 */
export const image: Artefact = {
  name: 'image',
  async make(release) {
    const { source, out, version, epoch } = release;
    await run('scripts/lab', ['--release', 'bookworm', '--with', 'container', '--root-only'], {
      env: { SOURCE_DATE_EPOCH: `${epoch}`, VERSION: version, IMAGE_SOURCE: source },
    });
    const built = 'node_modules/.cache/dsm2mqtt';
    const name = join(out, `dsm2mqtt-${version}-image`);
    await pack(join(built, 'release-image.tar'), `${name}.tar.gz`, release);
    const debian = await readFile(join(built, 'release-image.packages'), 'utf8');
    await writeFile(`${name}.cdx.json`, await componentsOf(release, debian));
  },
};

/** The archive of `podman save` without what is random in each build: names of containers, and of images in between. */
async function pack(archive: string, to: string, { scratch, version, epoch }: Release): Promise<void> {
  const folder = join(scratch, 'image');
  await mkdir(folder);
  await run('tar', ['-xf', archive, '-C', folder]);
  const [{ Config: file, Layers: layers }] = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
  const { container: _container, parent: _parent, ...about } = JSON.parse(await readFile(join(folder, file), 'utf8'));
  about.config.Hostname = '';
  about.container_config = about.config;
  for (const step of about.history) delete step.comment;
  const text = JSON.stringify(about);
  const named = `${createHash('sha256').update(text).digest('hex')}.json`;
  await rm(join(folder, file));
  await writeFile(join(folder, named), text);
  const manifest = [{ Config: named, RepoTags: [`dsm2mqtt:${version}`], Layers: layers }];
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const plain = [
    '--format=ustar',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u=rw,go=r',
    `--mtime=@${epoch}`,
  ];
  const tar = join(scratch, 'image.tar');
  await run('tar', ['-cf', tar, ...plain, '-C', folder, 'manifest.json', named, ...layers]);
  await run('gzip', ['-n', tar]);
  await rename(`${tar}.gz`, to);
}

/** As npm tells them, without what differs in every run, and with Debian's packages: lines of `NAME VERSION ARCHITECTURE`. */
async function componentsOf({ source, epoch }: Release, debian: string): Promise<string> {
  const args = ['sbom', '--package-lock-only', '--omit=dev', '--omit=optional', '--sbom-format=cyclonedx'];
  const { serialNumber: _, ...document } = JSON.parse(await run('npm', args, { cwd: source }));
  document.metadata.timestamp = new Date(epoch * 1_000).toISOString();
  for (const line of debian.trim().split('\n')) {
    const [name, version = '', architecture] = line.split(' ');
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
    document.components.push({ 'bom-ref': purl, type: 'library', name, version, purl });
  }
  return `${JSON.stringify(document, null, 2)}\n`;
}
