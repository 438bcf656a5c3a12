/** Commands through the whole bridge, and what it remembers of them. */
import { describe, expect, test } from 'vitest';
import { main } from '../../src/app/run.ts';
import { FolderInUse } from '../../src/app/stores.ts';
import { Running, response, state, vmConfig } from '../bridge/running.ts';
import { recorder } from '../mqtt/inbox.ts';
import type { Observer } from '../mqtt/observer.ts';

/** A bridge to a DSM that runs. */
async function running(changes?: Parameters<typeof Running.start>[0]) {
  const scene = await Running.start(changes);
  const domain = scene.daemon.domain('DSM');
  domain.start();
  await state(scene.seen, ({ power }) => power === 'ON');
  return Object.assign(scene, { domain });
}

async function last(seen: Observer, id: string) {
  const { payload } = await seen.seen.take(({ topic, payload }) => {
    if (topic !== 'b/DSM/response') return false;
    const answer = JSON.parse(payload);
    return answer.id === id && !['accepted', 'progress'].includes(answer.status);
  });
  return JSON.parse(payload);
}

async function notification(seen: Observer, type: string) {
  const { payload, retain } = await seen.seen.take(
    ({ topic, payload }) => topic === 'b/DSM/event' && JSON.parse(payload).event_type === type,
  );
  expect(retain).toBe(false);
  return JSON.parse(payload);
}

describe('each does what it says', () => {
  test.concurrent('suspend, resume, reset, reboot by the guest', async () => {
    await using scene = await running();
    const { seen, daemon } = scene;
    await seen.publish('b/DSM/command', '{"command":"suspend","id":"1"}');
    expect(await last(seen, '1')).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(await notification(seen, 'paused')).toMatchObject({ reason: 'user' });
    await seen.publish('b/DSM/command', '{"command":"start","id":"2"}');
    expect(await last(seen, '2')).toMatchObject({ status: 'succeeded', code: 'done' });
    await seen.publish('b/DSM/command', '{"command":"reset","id":"3"}');
    expect(await last(seen, '3')).toMatchObject({ status: 'succeeded' });
    await notification(seen, 'rebooted');
    await seen.publish('b/DSM/command', '{"command":"reboot","method":"guest","id":"4"}');
    expect(await last(seen, '4')).toMatchObject({ status: 'succeeded', message: 'it has restarted' });
    expect(daemon.callsOf('domainReboot')).toMatchObject([{ args: { flags: 1 } }]);
    expect(daemon.callsOf('domainCreateWithFlags')).toEqual([]);
  });

  test.concurrent('reboot: off, and on again', async () => {
    await using scene = await running();
    const { seen, domain } = scene;
    await seen.publish('b/DSM/command', 'reboot');
    expect(await response(seen)).toMatchObject({ status: 'accepted', remaining_ms: expect.any(Number) });
    expect(await response(seen)).toMatchObject({ status: 'progress', code: 'off' });
    expect(await response(seen)).toMatchObject({ status: 'progress', code: 'starting' });
    expect(await response(seen)).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(domain.active).toBe(true);
    await state(
      seen,
      ({ power, activity, phase }) => power === 'OFF' && activity === 'rebooting' && phase === 'pausing',
    );
    expect(await notification(seen, 'shut_down')).toMatchObject({ by: 'bridge', seconds: expect.any(Number) });
    await notification(seen, 'started');
  });

  test.concurrent('a screenshot is kept by the broker', async () => {
    await using scene = await running();
    await scene.seen.publish('b/DSM/command', '{"command":"screenshot","id":"s"}');
    expect(await last(scene.seen, 's')).toMatchObject({ status: 'succeeded' });
    const late = await scene.observe('b/DSM/screen');
    expect(await late.take('b/DSM/screen')).toMatchObject({ retain: true, payload: expect.stringContaining('PNG') });
  });

  test.concurrent('autostart is read back, and refresh says everything again', async () => {
    await using scene = await running();
    const { seen } = scene;
    await seen.publish('b/DSM/command', '{"command":"autostart","enabled":true,"id":"a"}');
    expect(await last(seen, 'a')).toMatchObject({ status: 'succeeded' });
    await state(seen, ({ autostart }) => autostart === true);
    const before = seen.seen.all.length;
    await seen.publish('b/DSM/command', '{"command":"refresh","id":"r"}');
    expect(await last(seen, 'r')).toMatchObject({ status: 'succeeded' });
    const topics = seen.seen.all.slice(before).map(({ topic }) => topic);
    expect(topics).toEqual(expect.arrayContaining(['b/DSM/state', 'b/DSM/availability']));
  });

  test.concurrent('what is not listed has neither entity nor effect', async () => {
    await using scene = await running({ vms: [vmConfig({ commands: ['start', 'shutdown'] })] });
    const { seen, domain } = scene;
    await seen.publish('b/DSM/command', '{"command":"force_off","id":"f"}');
    expect(await last(seen, 'f')).toMatchObject({ status: 'rejected', code: 'not_allowed' });
    await seen.publish('b/DSM/command', '{"command":"shutdown","on_timeout":"force_off","id":"g"}');
    expect(await last(seen, 'g')).toMatchObject({ status: 'rejected', code: 'not_allowed' });
    expect(domain.active).toBe(true);
    expect(await notification(seen, 'command_rejected')).toMatchObject({ command: 'force_off', code: 'not_allowed' });
  });
});

describe('over a restart of libvirt', () => {
  test.concurrent('a reboot whose start falls due meanwhile is carried out when libvirt is back', async () => {
    await using scene = await running({ pause: 2_000 });
    const { seen, daemon, domain } = scene;
    await seen.publish('b/DSM/command', '{"command":"reboot","id":"r"}');
    await state(seen, ({ phase }) => phase === 'pausing');
    await daemon.kill();
    await seen.take('b/DSM/availability', 'offline');
    await state(seen, ({ phase }) => phase !== 'pausing');
    await daemon.listen();
    expect(await last(seen, 'r')).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(domain.active).toBe(true);
    expect(daemon.callsOf('domainCreateWithFlags')).toHaveLength(1);
  });
});

describe('over a restart of the bridge', () => {
  test.concurrent('the last stop is remembered', async () => {
    await using scene = await running();
    await scene.seen.publish('b/DSM/command', '{"command":"shutdown","id":"x","by":"ups"}');
    expect(await last(scene.seen, 'x')).toMatchObject({ status: 'succeeded' });
    const before = await state(scene.seen, ({ last_stop, activity }) => last_stop.by !== null && activity === 'none');
    await scene.stop();
    const seen = await scene.observe();
    await seen.take('b/bridge/state', 'offline');
    await scene.start();
    await seen.take('b/bridge/state', 'online');
    const after = await state(seen, ({ power }) => power === 'OFF');
    expect(after.last_stop).toEqual(before.last_stop);
    expect(after.last_stop.by).toBe('ups');
  });

  test.concurrent('a stop that nobody saw is told as that', async () => {
    await using scene = await running();
    await scene.stop();
    scene.domain.crash();
    const seen = await scene.observe();
    await scene.start();
    const { last_stop } = await state(seen, ({ last_stop }) => last_stop.reason === 'crashed');
    expect(last_stop).toMatchObject({ by: 'fault', seconds: null });
  });

  test.concurrent('ended in the middle of a shutdown: told, not resumed', async () => {
    await using scene = await running();
    scene.domain.guest.powerButton = 'ignored';
    await scene.seen.publish('b/DSM/command', '{"command":"shutdown","id":"x","by":"ups"}');
    await state(scene.seen, ({ activity }) => activity === 'shutting_down');
    await scene.stop();
    const seen = await scene.observe();
    await scene.start();
    const now = await state(seen, ({ last_error }) => last_error.code === 'interrupted');
    expect(now).toMatchObject({ power: 'ON', activity: 'none' });
    scene.domain.powerOff();
    expect((await state(seen, ({ power }) => power === 'OFF')).last_stop).toMatchObject({ by: 'ups' });
    expect(scene.domain.presses).toBe(1);
    expect(scene.log.of('vm.interrupted')).toHaveLength(1);
  });
});

describe('two of them', () => {
  test.concurrent('on one data_dir: the second does not start', async () => {
    await using scene = await Running.start();
    const second = main(scene.config(), recorder(), { lockPatience: 10 });
    await expect(second).rejects.toThrow(FolderInUse);
    await expect(second).rejects.toThrow(scene.folder);
  });

  test.concurrent('of which the first is just ending: the second waits for it', async () => {
    await using scene = await Running.start();
    const second = main(scene.config(), recorder());
    await scene.stop();
    await (await second).close();
  });

  test.concurrent('on one base topic: the second says nothing, is told why, and the first goes on', async () => {
    await using scene = await Running.start();
    const { seen, daemon } = scene;
    const before = seen.seen.all.length;
    const config = { ...scene.config({ mqtt: { clientId: 'second' } }), dataDir: `${scene.folder}/2`, instance: 'two' };
    const second = await main(config, recorder());
    expect(await second.refused).toMatch(/another bridge, 'nas', serves b\/… since 20.*base_topic/);
    await second.close();
    await seen.publish('b/DSM/command', '{"command":"start","id":"one"}');
    expect(await last(seen, 'one')).toMatchObject({ status: 'succeeded' });
    expect(daemon.callsOf('domainCreateWithFlags')).toHaveLength(1);
    const said = seen.seen.all.slice(before).filter(({ topic }) => topic === 'b/bridge/state');
    expect(said.map(({ payload }) => payload)).not.toContain('offline');
    const answers = seen.seen.all.filter(({ topic }) => topic === 'b/DSM/response');
    expect(answers.map(({ payload }) => JSON.parse(payload).status)).toEqual(['accepted', 'succeeded']);
  });

  test.concurrent('of which the first is gone: the second takes over at once', async () => {
    await using scene = await Running.start();
    await scene.stop();
    const seen = await scene.observe();
    const config = { ...scene.config({ mqtt: { clientId: 'second' } }), dataDir: `${scene.folder}/2`, instance: 'two' };
    const second = await main(config, recorder());
    try {
      await seen.take('b/bridge/state', 'online');
      await seen.seen.take(({ topic, payload }) => topic === 'b/bridge/info' && payload.includes('"two"'));
    } finally {
      await second.close();
    }
  });
});
