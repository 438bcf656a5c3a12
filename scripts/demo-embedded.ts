/** The simulated stage: a broker and a libvirt daemon in this process, and a guest that is only numbers. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { FakeLibvirtd } from '../test/fakes/libvirtd/daemon.ts';
import { lively } from '../test/fakes/libvirtd/lively.ts';
import { freePort } from '../test/lab/processes.ts';
import { startAedes } from '../test/mqtt/aedes.ts';
import { bundlePage } from './build.ts';
import { base, type Stage, vm } from './demo-stage.ts';

export async function embeddedStage(): Promise<Stage> {
  const broker = await startAedes();
  const libvirtd = await FakeLibvirtd.listen();
  const domain = libvirtd.define({ name: vm });
  const life = lively(domain);
  const [sub, pub] = clients();
  const at = `-p ${broker.port}`;
  const page = await freePort();
  await bundlePage('dist/web');
  return {
    about: 'SIMULATED: no VM runs here; broker and libvirt daemon are stand-ins in this process',
    broker: `mqtt://127.0.0.1:${broker.port}`,
    libvirt: libvirtd.uri,
    page,
    // There is no DSM to answer, and the network is not to be asked for one.
    checks: { schedule: 'never', deep_schedule: 'never' },
    hints: [
      `xdg-open http://127.0.0.1:${page}/`,
      `${sub} ${at} -v -t '${base}/#'`,
      `${pub} ${at} -t ${base}/${vm}/power/set -m OFF`,
      `${pub} ${at} -t ${base}/${vm}/command -m '{"command":"start","id":"mine"}'`,
    ],
    waiting: () => null,
    work: async () => {},
    async [Symbol.asyncDispose]() {
      life[Symbol.dispose]();
      await libvirtd.close();
      await broker.kill();
    },
  };
}

/** Mosquitto's clients where they are installed, else those that come with the mqtt package. */
function clients(): [subscribe: string, publish: string] {
  const installed = (process.env['PATH'] ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, 'mosquitto_sub'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return installed ? ['mosquitto_sub', 'mosquitto_pub'] : ['node_modules/.bin/mqtt_sub', 'node_modules/.bin/mqtt_pub'];
}
