import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Artefact, run } from './artefact.ts';
import { tarball } from './tarball.ts';

/** The folder that Home Assistant's Supervisor builds the app from, packed: `dsm2mqtt-VERSION-app.tar.gz`. */
export const homeAssistantApp: Artefact = {
  name: "Home Assistant's app",
  async make(release) {
    const folder = join(release.scratch, 'home-assistant');
    await mkdir(folder);
    await run(join(release.source, 'scripts/addon'), [join(folder, 'dsm2mqtt')]);
    await tarball(folder, join(release.out, `dsm2mqtt-${release.version}-app.tar.gz`), release);
  },
};
