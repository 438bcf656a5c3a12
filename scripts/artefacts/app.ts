import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Artefact, run } from './artefact.ts';

/** The folder that Home Assistant's Supervisor builds the app from, packed: `dsm2mqtt-VERSION-app.tar.gz`. */
export const homeAssistantApp: Artefact = {
  name: "Home Assistant's app",
  async make({ source, out, scratch, version, epoch }) {
    const folder = join(scratch, 'dsm2mqtt');
    await run(join(source, 'scripts/addon'), [folder]);
    const archive = join(scratch, 'app.tar');
    const alike = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
    await run('tar', ['--create', ...alike, '--mode=u+rwX,go=rX', '--file', archive, 'dsm2mqtt'], { cwd: scratch });
    await run('gzip', ['--no-name', '-9', archive]);
    await rename(`${archive}.gz`, join(out, `dsm2mqtt-${version}-app.tar.gz`));
  },
};
