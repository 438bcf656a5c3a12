import { join } from 'node:path';
import { buildSite } from '../site.ts';
import type { Artefact } from './artefact.ts';
import { tarball } from './tarball.ts';

/** The documentation site, `dsm2mqtt-VERSION-site.tar.gz`: what a web server serves below `/REPO/`. */
export const site: Artefact = {
  name: 'documentation site',
  async make(release) {
    const folder = join(release.scratch, 'site');
    await buildSite(release.source, folder, release.origin);
    await tarball(folder, join(release.out, `dsm2mqtt-${release.version}-site.tar.gz`), release);
  },
};
