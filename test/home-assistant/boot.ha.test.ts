/** A boot that hangs, as a real Home Assistant shows it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { guest, inLab } from '../lab/lab.ts';
import { loader } from '../lab/loader.ts';
import { type HomeStage, setHomeStage } from './stage.ts';

let stage: HomeStage;
let original: AsyncDisposable;

beforeAll(async () => {
  const checks = { schedule: '*/5 * * * * *', probe_timeout: '3s', failures_before_down: 1, boot_grace: '60s' };
  stage = await setHomeStage({ vms: [{ domain: 'DSM', commands: ['start', 'force_off'], checks }] });
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  if (!inLab()) return;
  await guest.off();
  await original?.[Symbol.asyncDispose]();
});

test('the phase that it reached, its last lines, and the sentence', async () => {
  const { hass } = stage;
  await hass.state('sensor.dsm_boot', 'unknown');
  await guest.off();
  await hass.state('sensor.dsm_state', 'shut_off');
  original = await loader.keep();
  await loader.kernel('ignore_loglevel rdinit=/missing');
  await hass.call('button.press', { entity_id: 'button.dsm_start' });
  const { state, attributes } = await hass.state(
    'sensor.dsm_boot',
    ({ attributes: { result } }) => result === 'problem',
  );
  expect(state).toBe('kernel');
  expect(attributes['lines']).toContainEqual(expect.stringContaining('Kernel panic - not syncing'));
  const problem = await hass.state('binary_sensor.dsm_problem', ({ attributes: { reason } }) =>
    String(reason).includes('The boot stopped after: '),
  );
  expect(problem.state).toBe('on');
});
