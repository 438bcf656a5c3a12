/** The npm package, installed globally, in the lab. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { Listener, startBridge, usual, vmTopic } from '../e2e/bridge.ts';
import { guest, inLab, type Mosquitto, startMosquitto } from '../lab/lab.ts';
import { globalCommand } from './artefacts.ts';

const run = promisify(execFile);
let broker: Mosquitto;
let folder: string;

beforeAll(async () => {
  await guest.start();
  broker = await startMosquitto();
  folder = await mkdtemp(join(tmpdir(), 'npm-'));
  await writeFile(join(folder, 'config.yaml'), stringify({ data_dir: folder, ...usual(broker.url) }));
});

afterAll(async () => {
  await broker?.stop();
  if (folder) await rm(folder, { recursive: true });
  if (inLab()) await guest.off();
});

test('it is of this version', async () => {
  expect((await run(globalCommand, ['--version'])).stdout.trim()).toBe(manifest.version);
});

test('`status` reads ./config.yaml and tells of the VM', async () => {
  const { stdout } = await run(globalCommand, ['status'], { cwd: folder });
  expect(stdout).toMatch(/DSM.*running/);
});

test('`run` is online within its deadline', async () => {
  await using listener = await Listener.on(broker.url);
  await using _bridge = await startBridge(usual(broker.url), [globalCommand]);
  await listener.text(vmTopic('availability'), text => text === 'online');
});
