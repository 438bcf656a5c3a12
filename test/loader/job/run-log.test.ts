import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LoaderRecord } from '../../../src/loader/job/journal.ts';
import { LogFile } from '../../../src/loader/job/log-file.ts';
import { usualTimes } from '../../../src/loader/job/parts.ts';
import { RunLog } from '../../../src/loader/job/run-log.ts';
import { idleLoader } from '../../../src/model/loader.ts';
import { temporary } from '../image/images.ts';
import { replaceFs } from './loader-world.ts';
import { record } from './records.ts';

test('a phase is written down before anybody sees it, however long that takes', async () => {
  await using place = await temporary();
  const order: string[] = [];
  const parts = {
    ...{ key: 'DSM', folder: place.folder, now: () => new Date(), line: () => {} },
    show: ({ phase }: { phase: string }) => order.push(`shown: ${phase}`),
    // Something would be shown at every turn.
    times: { ...usualTimes, tell: 0 },
  };
  const file = await LogFile.open(join(place.folder, 'log'));
  const first: LoaderRecord = { ...record, phase: 'preflight' };
  const log = new RunLog(parts, file, first, idleLoader({ model: 'DS918+', version: '7.1.1-42962' }));
  log.say('begun');
  {
    using _ = replaceFs('writeFile', write => async (...all) => {
      // As many turns as the timer needs.
      for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setTimeout(resolve, 1));
      await write(...all);
      order.push('written');
    });
    await log.phase('preflight');
  }
  await log.leave();
  expect(order[0]).toBe('written');
  expect(order.slice(1)).toContain('shown: preflight');
});
