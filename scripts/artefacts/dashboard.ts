import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artefact } from './artefact.ts';

const file = 'dsm2mqtt-dashboard.js';

/** Home Assistant's dashboard, as it is: HACS takes it from a release that has files, and from nowhere else then. */
export const dashboard: Artefact = {
  name: 'dashboard',
  make: ({ source, out }) => copyFile(join(source, file), join(out, file)),
};
