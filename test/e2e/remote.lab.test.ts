/** The bridge with a libvirt that it reaches over TLS, and over SSH: seen, checked, shut down, and found again. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { address, domainState, guest, inLab, libvirtd, type Mosquitto, poll, startMosquitto } from '../lab/lab.ts';
import { type Sshd, startSshd } from '../lab/sshd.ts';
import { isFinal, Listener, runCli, startBridge, usual, vmTopic } from './bridge.ts';
import { isUnprivileged, needsRoot, user } from './unprivileged.ts';

let broker: Mosquitto;
let sshd: Sshd;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  [broker, sshd] = await Promise.all([startMosquitto(), startSshd()]);
  if (isUnprivileged) execFileSync('chown', [user, sshd.keyFile]);
});

afterAll(async () => {
  await sshd?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (inLab()) await guest.off();
});

const pki = fileURLToPath(new URL('../lab/pki/client', import.meta.url));
const tls = () => `qemu+tls://127.0.0.1/system?pkipath=${pki}`;
const ssh = () =>
  `qemu+ssh://${isUnprivileged ? user : 'root'}@127.0.0.1:${sshd.port}/system?keyfile=${sshd.keyFile}&known_hosts=${sshd.knownHosts}`;

test.for([['TLS', tls] as const, ['SSH', ssh] as const])('over %s', async ([name, uri], context) => {
  if (name === 'TLS') needsRoot(context, 'over TLS libvirt knows no user, and with `access_drivers` it refuses all');
  await guest.start();
  const libvirt = { uri: uri(), stats_interval: '1s' };
  const vms = [{ domain: 'DSM', address: address.guest, shutdown: { timeout: '1m' } }];
  const config = usual(broker.url, { libvirt, vms });
  expect(await runCli(config, 'status')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('DSM (DSM): running'),
  });

  await using listener = await Listener.on(broker.url);
  await using bridge = await startBridge(config);
  await listener.text(vmTopic('availability'), text => text === 'online');
  await listener.document(vmTopic('stats'), ({ cpu }) => cpu.percent !== null);
  const { probes } = await listener.document(vmTopic('check'), ({ verdict }) => verdict === 'up');
  // The guest's cable is on the other machine.
  expect(probes.bridge.outcome).toBe('not_applicable');

  await libvirtd.kill();
  await listener.text(vmTopic('availability'), text => text === 'offline');
  const from = listener.now;
  await libvirtd.start();
  await listener.text(vmTopic('availability'), text => text === 'online', { from });

  await listener.publish(vmTopic('command'), '{"command":"shutdown","id":"far"}');
  const answer = await listener.document(vmTopic('response'), document => document.id === 'far' && isFinal(document));
  expect(answer.status).toBe('succeeded');
  await poll(async () => (await domainState()) === 'shut off', { what: 'the end of the guest' });
  expect(await bridge.end()).toBe(0);
});
