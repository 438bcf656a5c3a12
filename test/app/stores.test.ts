import { expect, test } from 'vitest';
import { ranBefore, recalledState } from '../../src/app/stores.ts';
import { nothingKnown } from '../../src/checks/engine/run.ts';
import { noHistory } from '../../src/model/history/history.ts';
import { vmConfig } from '../bridge/running.ts';
import { otherUuid, uuid } from '../model/samples.ts';

const remembered = { uuid, active: true, boot: 'b1', thisBoot: true };
const run = { boot: 'b1', id: 4, since: null, exact: false, wasUp: true, bootSeconds: null, updating: false };
const known = { ...nothingKnown, uuid, run };
const recorded = { host: null, uuid, boot: 'b1', id: 4 };
const now: Parameters<typeof ranBefore>[2] = { known, boot: 'b1', local: true };

test.each<[what: string, id: number, vm: Partial<typeof remembered> | null, known: Partial<typeof now>, is: boolean]>([
  ['it has the id that it had', 4, {}, {}, false],
  ['it has another id', 5, {}, {}, true],
  ['the host has booted', 4, { thisBoot: false }, { boot: 'b2' }, true],
  [
    'the machine of the bridge has booted, and libvirt is elsewhere',
    4,
    { thisBoot: false },
    { boot: 'b2', local: false },
    false,
  ],
  ['it was off', 5, { active: false }, {}, false],
  ['it was another domain', 5, { uuid: otherUuid }, {}, false],
  ['the checks knew another domain', 5, {}, { known: { ...known, uuid: otherUuid } }, false],
  ['the checks knew no run', 5, {}, { known: { ...known, run: null } as never }, false],
  ['nothing was stored', 5, null, {}, false],
  ['the record has another id than the checks', 5, {}, { recorded: { ...recorded, id: 5 } }, false],
  ['the checks already have the id, and the record has not', 4, {}, { recorded: { ...recorded, id: 3 } }, true],
  ['only the record was written in time', 5, null, { recorded, known: undefined }, true],
  ['it was off when all but the record was written', 5, { active: false }, { recorded }, true],
  ['the record knew another domain', 5, null, { recorded: { ...recorded, uuid: otherUuid } }, false],
  ['the record was of another boot of the host', 5, {}, { recorded: { ...recorded, boot: 'b0', id: 5 } }, true],
])('%s: another run is %s', (_, id, vm, more, is) => {
  const ref = { uuid, id, name: 'DSM' };
  expect(ranBefore(ref, { remembered: vm && { ...remembered, ...vm } }, { ...now, ...more })).toBe(is);
});

test.each(['constructor', '__proto__', 'toString'])(
  'of a VM called %s nothing is recalled that was not stored',
  key => {
    const { snapshot } = recalledState([vmConfig({ key })], {}, 'b1');
    expect(snapshot.vms[key]).toMatchObject({ key, history: noHistory, remembered: null });
  },
);
