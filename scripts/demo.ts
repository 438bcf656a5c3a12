/**
 * `scripts/demo`, once everything is installed: a stage, the bridge on it as a process of its own, and a subscriber
 * that shows what the bridge publishes. All that the screen says of the VM has been over MQTT.
 */
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connectAsync, type MqttClient } from 'mqtt';
import { topics } from '../src/model/topics.ts';
import { parseDuration } from '../src/util/duration.ts';
import { startBridge } from './demo-bridge.ts';
import { embeddedStage } from './demo-embedded.ts';
import { labStage } from './demo-lab.ts';
import { openScreen, type View } from './demo-screen.ts';
import { base, type Stage, vm } from './demo-stage.ts';

/** Milliseconds that anything awaited may take; a guest on an emulated CPU needs some twenty seconds. */
const patience = 120_000;
/** Milliseconds between two things that the guest is given to do. */
const rest = 4_000;

const { values } = parseArgs({
  options: { embedded: { type: 'boolean' }, for: { type: 'string' }, name: { type: 'string', default: 'demo' } },
});
const topic = topics(base);
const stop = new AbortController();
const { signal } = stop;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    process.exitCode = 128 + constants.signals[name];
    stop.abort();
  });
}
process.stdout.on('error', () => stop.abort());

try {
  await using stage = values.embedded ? await embeddedStage() : await labStage(values.name);
  await play(stage, values.for === undefined ? null : parseDuration(values.for));
} catch (error) {
  if (!signal.aborted) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
// The guest may still be busy with what it was told to do last; nobody waits for that.
process.exit();

/** Resolves when its time is over, or when somebody ends it. */
async function play(stage: Stage, duration: number | null): Promise<void> {
  const view: View = {
    bridge: null,
    availability: null,
    info: null,
    state: null,
    stats: null,
    check: null,
    response: null,
    doing: null,
  };
  let work: string | null = null;
  using screen = openScreen(stage, vm, process.stdout);
  await using mqtt = await subscribe(stage.broker, view);
  await using bridge = await startBridge({
    broker: stage.broker,
    libvirt: stage.libvirt,
    base,
    vm,
    ...{ page: stage.page, checks: stage.checks },
  });

  const refresh = setInterval(() => {
    view.doing = doing(stage, view) ?? work;
    screen.show(view);
  }, 250);
  const story = async (): Promise<void> => {
    await wake(stage, view, mqtt.client);
    const end = duration === null ? [] : [delay(duration, undefined, { signal })];
    const busy = keepBusy(stage, view, what => {
      work = what;
    });
    await Promise.race([...end, busy]);
  };
  const ended = new Promise(resolve => signal.addEventListener('abort', resolve));
  try {
    await Promise.race([story(), bridge.failed, ended]);
  } finally {
    clearInterval(refresh);
    view.doing = null;
    screen.show(view);
    screen.say('Ending: the bridge says goodbye, and all else goes with it.');
  }
}

/** What there is to wait for, in a line; null: nothing. */
function doing(stage: Stage, { state }: View): string | null {
  if (!state?.power) return 'The bridge connects to the broker and to libvirt';
  if (state.activity !== 'none') return `The bridge is at it: ${state.activity}`;
  if (state.state !== 'running') return `The VM is ${state.state}`;
  const stillTo = stage.waiting();
  return stillTo && `The guest boots: ${stillTo}`;
}

/** Starts the VM the way anybody would, over MQTT, and waits until its guest is up. */
async function wake(stage: Stage, view: View, mqtt: MqttClient): Promise<void> {
  await until('the bridge to find the VM', () => view.bridge === 'online' && view.availability === 'online');
  if (view.state?.power === 'OFF') await mqtt.publishAsync(topic.vm(vm).power, 'ON', { qos: 1 });
  await until('the VM to run', () => {
    const { response } = view;
    if (response?.status === 'failed' || response?.status === 'rejected') throw new Error(response.message);
    return view.state?.power === 'ON';
  });
  await until('the guest', () => stage.waiting() === null && view.stats?.cpu.percent != null);
}

async function until(what: string, holds: () => unknown): Promise<void> {
  const deadline = performance.now() + patience;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}, ${patience / 1_000} s.`);
    await delay(100, undefined, { signal });
  }
}

/** Work and rest in turn, while the guest is up. */
async function keepBusy(stage: Stage, view: View, tell: (what: string | null) => void): Promise<never> {
  for (;;) {
    if (view.state?.state === 'running' && stage.waiting() === null) {
      // A guest that is shut down in the middle of its work is no fault of the demo.
      await stage.work(tell).catch(() => {});
      tell(null);
    }
    await delay(rest, undefined, { signal });
  }
}

async function subscribe(url: string, view: View): Promise<{ client: MqttClient } & AsyncDisposable> {
  const client = await connectAsync(url, { reconnectPeriod: 500 });
  const { availability, state, stats, check, response } = topic.vm(vm);
  client.on('message', (from, payload) => {
    const text = payload.toString();
    if (from === topic.bridge.state) view.bridge = text;
    else if (from === topic.bridge.info) view.info = JSON.parse(text);
    else if (from === availability) view.availability = text;
    else if (from === state) view.state = JSON.parse(text);
    else if (from === stats) view.stats = JSON.parse(text);
    else if (from === check) view.check = JSON.parse(text);
    else if (from === response) view.response = JSON.parse(text);
  });
  // The broker may be killed and started again while the demo runs.
  client.on('error', () => {});
  await client.subscribeAsync(`${base}/#`);
  return { client, [Symbol.asyncDispose]: () => client.endAsync(true) };
}
