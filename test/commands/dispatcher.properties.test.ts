/**
 * The whole way of a command, from the broker's packet to libvirt's client: any history of senders, broker, libvirt,
 * guest and time, told by chance, and none of the promises of "do no harm" is broken.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { propertyRuns } from '../model/runs.ts';
import { act, openings, rules, scenes } from './dispatcher-histories.ts';
import { World } from './dispatcher-world.ts';

let world: World | null = null;
const realNow = Date.now;
beforeEach(() => {
  vi.stubGlobal('setTimeout', (run: () => void, delay: number) => world?.setTimeout(run, delay));
  vi.stubGlobal('clearTimeout', (timer: ReturnType<World['setTimeout']>) => world?.timers.delete(timer));
  vi.stubGlobal('performance', { now: () => world?.now ?? 0 });
  Date.now = () => world?.date ?? realNow();
});
afterEach(() => {
  vi.unstubAllGlobals();
  Date.now = realNow;
});

/** More by hand, and from a seed that can be written down: `DSM2MQTT_HISTORIES=1000000 DSM2MQTT_SEED=1`. */
const { DSM2MQTT_HISTORIES: histories, DSM2MQTT_SEED: seed } = process.env;
const numRuns = Number(histories ?? propertyRuns.histories);

test('no history of the whole bridge does harm', { timeout: Math.max(180_000, numRuns * 20) }, async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      ...[rules, openings, fc.array(scenes, { maxLength: 8, size: 'max' }), fc.boolean()],
      async (around, opening, history, whole) => {
        const one = new World(around, seen);
        world = one;
        await one.settle();
        for (const action of [...opening, ...history.flat()]) {
          if (action.what === 'time') await one.pass(action.duration);
          else if (action.what === 'restart') await one.restart(action.how);
          else act(one, action);
          await one.settle();
        }
        if (whole) await one.end();
        await one.close();
      },
    ),
    { numRuns, ...(seed !== undefined && { seed: Number(seed) }) },
  );
  // Of what is worth a history, all was told.
  expect([...seen].sort()).toEqual(expect.arrayContaining(milestones));
});

const milestones = [
  ...['start calls start', 'start calls resume', 'start calls wake_up', 'resume calls resume', 'suspend calls suspend'],
  ...['reset calls reset', 'shutdown calls press', 'shutdown calls cut_power', 'force_off calls cut_power'],
  ...['reboot calls press', 'reboot calls guest_reboot', 'reboot calls start', 'rebuild calls press'],
  ...['rebuild calls start', 'rebuild cancelled/cancelled', 'restart close', 'restart kill', 'early'],
  ...['shutdown succeeded/forced', 'start rejected/expired', 'shutdown rejected/retained', 'null rejected/retained'],
  ...['shutdown rejected/duplicate', 'shutdown failed/domain_gone', 'shutdown failed/outcome_unknown'],
  ...['shutdown rejected/libvirt_unavailable', 'start rejected/libvirt_unavailable', 'reset rejected/not_allowed'],
  ...['force_off rejected/not_allowed', 'shutdown rejected/read_only', 'null rejected/invalid_payload'],
  ...['progress/updating', 'progress/not_heard', 'progress/no_answer', 'progress/amended', 'progress/start_after_off'],
];
