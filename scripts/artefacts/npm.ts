import { type Artefact, run } from './artefact.ts';

/** The npm package: `dsm2mqtt-VERSION.tgz`. npm gives every file in it the same time. */
export const npm: Artefact = {
  name: 'npm package',
  async make({ app, out }) {
    await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', out], { cwd: app });
  },
};
