/** The guest, a broker, a bridge and a real Home Assistant that has heard of it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expanded } from '../discovery/expanded.ts';
import { type BridgeProcess, type Json, Listener, startBridge, usual, vmTopic } from '../e2e/bridge.ts';
import { HomeAssistant, type HomeAssistantOptions, type LogRecord } from '../lab/home-assistant.ts';
import { address, guest, type Mosquitto, poll, startMosquitto } from '../lab/lab.ts';

export const device = `dsm2mqtt_${address.uuid}`;
export const configTopic = `homeassistant/device/${device}/config`;

export interface HomeStage extends AsyncDisposable {
  readonly broker: Mosquitto;
  readonly listener: Listener;
  readonly hass: HomeAssistant;
  readonly bridge: BridgeProcess;
  /** Kills the bridge's process and starts another on the same `data_dir`, with other settings. */
  rebridge(more?: Record<string, unknown>): Promise<void>;
}

export async function setHomeStage(
  more: Record<string, unknown> = {},
  options: Omit<HomeAssistantOptions, 'port'> = {},
  /** What is in `data_dir` before the bridge starts. */
  prepare: (folder: string) => Promise<void> = async () => {},
): Promise<HomeStage> {
  await using stack = new AsyncDisposableStack();
  await guest.start();
  const broker = stack.use(await startMosquitto());
  const listener = stack.use(await Listener.on(broker.url));
  const data_dir = await mkdtemp(join(tmpdir(), 'dsm2mqtt-data-'));
  stack.defer(() => rm(data_dir, { recursive: true, force: true }));
  await prepare(data_dir);
  const settled = (settings: Record<string, unknown>) => usual(broker.url, { data_dir, ...settings });
  let bridge = await startBridge(settled(more));
  stack.defer(() => bridge[Symbol.asyncDispose]());
  const hass = stack.use(await HomeAssistant.start({ port: broker.port, ...options }));
  await listener.text(vmTopic('availability'), text => text === 'online');
  await registered(hass, listener);
  const parts = stack.move();
  return {
    broker,
    listener,
    hass,
    get bridge() {
      return bridge;
    },
    async rebridge(settings = more) {
      await bridge[Symbol.asyncDispose]();
      bridge = await startBridge(settled(settings));
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** The registry's entries by unique id, once all that the bridge has announced of the VM is there. */
export async function registered(hass: HomeAssistant, listener: Listener): Promise<Map<string, Json>> {
  const components = Object.values(await announced(listener)).filter(
    ({ platform }) => platform !== 'device_automation',
  );
  return poll(
    async () => {
      const list: Json[] = await hass.ask('config/entity_registry/list');
      const ours = new Map(list.flatMap(entry => (entry.platform === 'mqtt' ? [[entry.unique_id, entry]] : [])));
      return components.every(({ unique_id: id }) => ours.has(id)) && ours;
    },
    { interval: 200, what: 'all entities in the registry' },
  );
}

/** The components that the bridge has announced for the VM, by their keys. */
export async function announced(listener: Listener, topic = configTopic): Promise<Record<string, Json>> {
  return expanded(await listener.text(topic, () => true)).components as Record<string, Json>;
}

/**
 * Not one of these may be about us. What a bare Home Assistant without a network and without ffmpeg says is not, and not
 * that it is slow on a busy machine.
 */
export function concerning(records: readonly LogRecord[]): string[] {
  return records
    .filter(({ text }) => !/ Updating state for \S+ .+ took \S+ seconds/.test(text))
    .filter(
      ({ logger, text }) =>
        /mqtt|recorder|sensor|switch|button|update|event|image|template|automation/.test(logger) || /dsm/i.test(text),
    )
    .map(({ text }) => text);
}

/** Every entity of ours, the disabled ones as well, enabled; resolves when Home Assistant has them all. */
export async function enableAll(hass: HomeAssistant): Promise<void> {
  const list: Json[] = await hass.ask('config/entity_registry/list');
  const disabled = list.filter(({ platform, disabled_by }) => platform === 'mqtt' && disabled_by === 'integration');
  for (const { entity_id } of disabled) {
    await hass.ask('config/entity_registry/update', { entity_id, disabled_by: null });
  }
  await hass.reloadMqtt();
  const ours = list.flatMap(({ platform, entity_id }) => (platform === 'mqtt' ? [entity_id] : []));
  const all = async () => {
    const states = await hass.states();
    return ours.every(id => states.has(id) && !states.get(id)?.attributes['restored']);
  };
  await poll(all, { interval: 200, what: 'a state of every entity' });
}
