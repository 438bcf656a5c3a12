/** The bridge under the access list of docs/mosquitto, on a broker that lets nobody do anything else. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { topics } from '../../src/model/topics.ts';
import { domainState, guest, inLab, type Mosquitto, startMosquitto } from '../lab/lab.ts';
import { type BridgeProcess, isFinal, type Json, Listener, startBridge, usual, vmTopic } from './bridge.ts';

const acl = fileURLToPath(new URL('../../docs/mosquitto/dsm2mqtt.acl', import.meta.url));
const users = ['dsm2mqtt', 'homeassistant', 'stranger'] as const;

const loader = { model: 'DS918+', platform: 'ds918p-7.1.1-42962', transient_pool: true };
const vms = [{ domain: 'DSM', commands: ['start', 'shutdown', 'screenshot', 'refresh'], loader }];

let folder: string;
let broker: Mosquitto;
let listener: Listener;
let bridge: BridgeProcess;

const login = (username: (typeof users)[number]) => ({ username, password: `of-${username}` });

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.start();
  folder = await mkdtemp(join(tmpdir(), 'acl-'));
  const file = join(folder, 'passwords');
  for (const [at, user] of users.entries()) {
    const { username, password } = login(user);
    await promisify(execFile)('mosquitto_passwd', ['-b', ...(at === 0 ? ['-c'] : []), file, username, password]);
  }
  broker = await startMosquitto({ config: [`password_file ${file}`, `acl_file ${acl}`], anonymous: false });
  listener = await Listener.on(broker.url, login('homeassistant'));
  bridge = await startBridge(usual(broker.url, { vms, mqtt: { url: broker.url, ...login('dsm2mqtt') } }));
});

afterAll(async () => {
  await bridge?.[Symbol.asyncDispose]();
  await listener?.[Symbol.asyncDispose]();
  await broker?.stop();
  if (inLab()) await guest.off();
  await rm(folder, { recursive: true, force: true });
});

test('the bridge says all that it has to say, and Home Assistant gives commands', async () => {
  await listener.text(vmTopic('availability'), text => text === 'online');
  await listener.publish(vmTopic('command'), '{"command":"screenshot","id":"ha"}');
  await listener.document(vmTopic('response'), document => document.id === 'ha' && isFinal(document));
  // Nothing is told of a boot without a serial log.
  const { power, command, loaderLog, boot, ...said } = topics('dsm2mqtt').vm('DSM');
  for (const topic of [...Object.values(said), ...Object.values(topics('dsm2mqtt').bridge)]) {
    await listener.text(topic, text => text !== '');
  }
  const announced = listener.heard.filter(({ topic }) => topic.startsWith('homeassistant/device/'));
  expect(announced.length).toBeGreaterThanOrEqual(2);
  expect(bridge.log.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});

test('a stranger can neither command nor listen', async () => {
  const stranger: MqttClient = await connectAsync(broker.url, login('stranger'));
  try {
    const heard: string[] = [];
    stranger.on('message', topic => heard.push(topic));
    await stranger.subscribeAsync('#', { qos: 1 }).catch(() => {});
    const from = listener.now;
    await stranger.publishAsync(vmTopic('power/set'), 'OFF', { qos: 1 }).catch(() => {});
    await stranger.publishAsync(vmTopic('state'), '{}', { qos: 1, retain: true }).catch(() => {});
    await listener.publish(vmTopic('command'), '{"command":"refresh","id":"after"}');
    await listener.document(vmTopic('response'), (document: Json) => document.id === 'after' && isFinal(document), {
      from,
    });
    expect(listener.documents(vmTopic('response'), from).map(({ command }) => command)).toEqual(['refresh']);
    expect(listener.texts(vmTopic('state'), from)).not.toContain('{}');
    expect(heard).toEqual([]);
    expect(await domainState()).toBe('running');
  } finally {
    await stranger.endAsync(true);
  }
});
