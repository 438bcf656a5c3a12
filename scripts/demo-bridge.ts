/** The product as its users start it: `dsm2mqtt run` with a configuration file, a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { defaultCommands } from '../src/model/commands.ts';

export interface BridgeProcess extends AsyncDisposable {
  /** Rejects, with the end of its log, when it ends before it is told to. */
  failed: Promise<never>;
}

export interface BridgeOptions {
  broker: string;
  libvirt: string;
  base: string;
  vm: string;
  /** Port of its page; null: none. */
  page: number | null;
  checks: Readonly<Record<string, unknown>>;
}

const program = fileURLToPath(new URL('../src/cli/index.ts', import.meta.url));

export async function startBridge({ broker, libvirt, base, vm, page, checks }: BridgeOptions): Promise<BridgeProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'dsm2mqtt-demo-'));
  const file = join(folder, 'config.yaml');
  const config = {
    instance: 'demo',
    mqtt: { url: broker, base_topic: base },
    libvirt: { uri: libvirt, stats_interval: '1s' },
    vms: [{ domain: vm, checks, commands: [...defaultCommands, 'screenshot'] }],
    ...(page !== null && { web: { listen: `127.0.0.1:${page}` } }),
    data_dir: join(folder, 'data'),
  };
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  // What the caller's environment says of another bridge is not meant for this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DSM2MQTT_')));
  const child = spawn(process.execPath, [program, 'run', '--config', file], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-4_000);
    });
  }
  let stopping = false;
  const ended = once(child, 'close');
  const failed = ended.then(([code]) => {
    if (stopping) return new Promise<never>(() => {});
    throw new Error(`The bridge ended by itself (exit code ${code}):\n${log}`);
  });
  failed.catch(() => {});
  return {
    failed,
    async [Symbol.asyncDispose]() {
      stopping = true;
      child.kill('SIGTERM');
      const inTime = await Promise.race([ended, delay(5_000, false)]);
      if (!inTime) child.kill('SIGKILL');
      await ended.catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}
