import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Artefact, type Release, run } from './artefact.ts';

/**
 * The container's image for this machine's processor, `dsm2mqtt-VERSION-image.tar` (docker-archive), and what it
 * consists of, `….cdx.json` (CycloneDX). It is built in the lab, on a base that the lab makes of Debian's packages; the
 * image that is published is built from the same Dockerfile on the base that the Dockerfile names.
 */
export const image: Artefact = {
  name: 'image',
  async make(release) {
    const { source, out, version, epoch } = release;
    await run(join(source, 'scripts/lab'), ['--release', 'bookworm', '--with', 'container', '--root-only'], {
      env: { SOURCE_DATE_EPOCH: `${epoch}`, VERSION: version },
    });
    const built = join(source, 'node_modules/.cache/dsm2mqtt');
    const name = join(out, `dsm2mqtt-${version}-image`);
    await copyFile(join(built, 'image.tar'), `${name}.tar`);
    const debian = await readFile(join(built, 'image.packages'), 'utf8');
    await writeFile(`${name}.cdx.json`, await componentsOf(release, debian));
  },
};

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
