/** The image of a release, loaded and started. */
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { type Json, Listener, usual, vmTopic } from '../e2e/bridge.ts';
import { address, guest, inLab, startMosquitto } from '../lab/lab.ts';
import { podman, startContainer } from '../lab/podman.ts';
import { artefact } from '../release/artefacts.ts';

const run = promisify(execFile);
const image = `localhost/dsm2mqtt:${manifest.version}`;

// libvirtd looks the container's user up on the host.
const user = 'released';
beforeAll(() => run('useradd', ['--uid', '1000', '--non-unique', '--no-create-home', user]));

afterAll(async () => {
  if (!inLab()) return;
  await run('userdel', ['--force', user]);
  await guest.off();
});

test('it loads, and is online', async () => {
  // Podman 4.3 does not decompress it itself.
  await run('sh', ['-c', 'zcat "$0" | podman load --quiet', artefact('dsm2mqtt-*-image.tar.gz')]);
  const [{ Config: about }]: Json[] = JSON.parse(await podman('image', 'inspect', image));
  expect(about.Labels).toMatchObject({ 'org.opencontainers.image.version': manifest.version });
  await guest.start();
  await using broker = await startMosquitto();
  await using listener = await Listener.on(broker.url);
  const { gid } = await stat(address.socket);
  await using _container = await startContainer({ config: usual(broker.url), group: gid, from: image });
  await listener.text(vmTopic('availability'), text => text === 'online');
});

test('its list of components has the packages of npm and of Debian', async () => {
  const { components }: Json = JSON.parse(await readFile(artefact('dsm2mqtt-*-image.cdx.json'), 'utf8'));
  const names = components.map(({ purl }: Json) => purl.replace(/@[^@]*$/, ''));
  expect(names).toEqual(expect.arrayContaining(['pkg:npm/mqtt', 'pkg:npm/ssh2', 'pkg:deb/debian/mtools']));
  expect(names.filter((name: string) => /vitest|typescript|node-linux/.test(name))).toEqual([]);
});
