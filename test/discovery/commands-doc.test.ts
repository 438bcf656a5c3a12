import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { filled } from '../../scripts/commands-doc.ts';
import { lateness } from '../../src/commands/stop-cause.ts';
import { shapeAt } from '../../src/config/shape.ts';
import { defaultCommands } from '../../src/model/commands.ts';
import { leastBeforeCut, startTimeout } from '../../src/model/job/job.ts';
import { restartPause } from '../../src/model/policy.ts';
import { parseDuration } from '../../src/util/duration.ts';

const page = await readFile(new URL('../../docs/commands.md', import.meta.url), 'utf8');

test('what docs/commands.md has from the code is current', () => {
  expect(page).toBe(filled(page));
});

test('so are the times and defaults that its sentences name', () => {
  const byDefault = (key: string) => shapeAt(['vms', 0, 'shutdown', key])?.default;
  const minutes = parseDuration(String(byDefault('timeout'))) ?? 0;
  for (const sentence of [
    `within ${startTimeout / 60_000} minutes unless`,
    `${restartPause / 1_000} seconds at least`,
    `\`resend_every\` (${byDefault('resend_every')?.toString().replace('s', ' s')}), \`max_presses\` (${byDefault('max_presses')})`,
    `After \`timeout\` (${minutes / 60_000} minutes)`,
    `\`${byDefault('on_timeout')}\`, the default`,
    `never before ${leastBeforeCut / 1_000} seconds`,
    `within ${lateness / 60_000} minutes after all`,
    `${restartPause / 1_000} seconds of pause, and a start (${startTimeout / 60_000} minutes more)`,
    `by default ${defaultCommands.join(', ').replace(/, (\w+)$/, ' and $1')}`,
  ]) {
    expect(page).toContain(sentence);
  }
});
