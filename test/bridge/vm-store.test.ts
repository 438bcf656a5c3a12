/** What of a VM outlives the bridge, and what a file may say. */
import { describe, expect, test } from 'vitest';
import { type Remembered, recall, rememberedSchema, VmStore } from '../../src/bridge/vm-store.ts';
import type { Domain } from '../../src/model/domain.ts';
import { reduce } from '../../src/model/reduce.ts';
import { type Event, emptyVm, type LastStop, type Snapshot } from '../../src/model/snapshot.ts';
import { unknownStats } from '../../src/model/stats.ts';
import { asked, at, domain, off, otherUuid, snapshotOf, uuid } from '../model/samples.ts';

const lastStop: LastStop = { by: 'ups', reason: 'shutdown', at, seconds: 42.3 };
const row = { uuid, active: true, last_stop: lastStop, asked, self_off_at: null, wish: null, quiet: null, boot: 'b1' };
const remembered: Remembered = { DSM: row };
const fresh = emptyVm('DSM', 'DSM VM');

class Life {
  readonly saved: Remembered[] = [];
  readonly memory: VmStore;
  snapshot: Snapshot;

  /** `file` is what the life before has left. */
  constructor(file: Remembered = {}, boot = 'b1', configured = ['DSM']) {
    this.memory = new VmStore(now => this.saved.push(structuredClone(now)), file, boot, configured);
    this.snapshot = { ...snapshotOf(), vms: { DSM: recall(fresh, file, boot) } };
  }

  hear(event: Event): void {
    this.snapshot = reduce(this.snapshot, event);
    this.memory.update(this.snapshot);
  }

  see(now: Domain | null, when = at): void {
    this.hear({ type: 'domain', key: 'DSM', domain: now, at: when });
  }

  /** As it would be read from the file. */
  get file(): Remembered {
    return rememberedSchema.parse(JSON.parse(JSON.stringify(this.saved.at(-1) ?? null)));
  }
}

describe('is written', () => {
  test('when something of it changes, and only then', () => {
    const life = new Life();
    life.memory.update(life.snapshot);
    expect(life.saved).toEqual([]);
    life.see(domain);
    expect(life.saved).toEqual([
      {
        DSM: {
          uuid,
          active: true,
          last_stop: null,
          asked: null,
          self_off_at: null,
          wish: 'running',
          quiet: null,
          boot: 'b1',
        },
      },
    ]);
    life.see({ ...domain, state: 'paused', reason: 'user', autostart: true });
    life.hear({ type: 'stats', stats: new Map([['DSM', unknownStats(at)]]) });
    life.hear({ type: 'error', key: 'DSM', error: { code: 'x', message: 'y', at } });
    expect(life.saved).toHaveLength(1);
    life.hear({ type: 'asked', key: 'DSM', asked });
    life.hear({ type: 'wished', key: 'DSM', wish: 'off' });
    life.see(off);
    expect(life.saved.map(({ DSM }) => [DSM?.active, DSM?.asked?.by, DSM?.wish, DSM?.last_stop?.by])).toEqual([
      [true, undefined, 'running', undefined],
      [true, 'ups', 'running', undefined],
      [true, 'ups', 'off', undefined],
      [false, undefined, 'off', 'ups'],
    ]);
  });

  test('not when it is what was read', () => {
    const life = new Life(remembered);
    life.memory.update(life.snapshot);
    life.hear({ type: 'hypervisor_down', reason: 'killed' });
    expect(life.saved).toEqual([]);
  });

  test('of a VM that libvirt has not been asked about yet, as it was', () => {
    const { memory, saved } = new Life(remembered);
    const other = { ...emptyVm('other', 'Other'), domain: { ...off, uuid: otherUuid } };
    memory.update({ ...snapshotOf(), vms: { DSM: recall(fresh, remembered, 'b1'), other } });
    expect(saved).toEqual([
      { DSM: row, other: { ...row, uuid: otherUuid, active: false, last_stop: null, asked: null } },
    ]);
  });

  test('not of a VM that is not configured any more', () => {
    const { memory, saved } = new Life(remembered, 'b1', []);
    memory.update({ ...snapshotOf(), vms: {} });
    expect(saved).toEqual([{}]);
    const other = new Life(remembered);
    other.memory.update({ ...snapshotOf(), vms: {} });
    expect(other.saved).toEqual([]);
  });
});

describe('from one life to the next', () => {
  test('its quiet time, also of one that libvirt never had; once over, nothing is left of it', () => {
    const quiet = { until: '2026-11-22T10:00:00.000Z', by: 'dad' };
    const one = new Life();
    one.hear({ type: 'quiet', key: 'DSM', quiet, by: 'dad', at });
    expect(one.file['DSM']).toMatchObject({ uuid: null, quiet });
    const next = new Life(one.file);
    expect(next.snapshot.vms['DSM']?.quiet).toEqual(quiet);
    next.hear({ type: 'quiet', key: 'DSM', quiet: null, by: null, at });
    expect(next.file).toEqual({});
  });

  test('it stopped, and that is known for ever', () => {
    const one = new Life();
    one.see(domain);
    one.see(off);
    const next = new Life(one.file);
    expect(next.snapshot.vms['DSM']?.lastStop).toMatchObject({ by: 'guest', reason: 'shutdown' });
    next.see(off);
    next.see(domain, '2026-11-22T09:00:00.000Z');
    expect(next.file['DSM']).toMatchObject({ active: true, last_stop: { by: 'guest', at } });
  });

  test('its guest powered it off, and libvirt still knows that it did', () => {
    const one = new Life();
    one.see(domain);
    one.see(off);
    const next = new Life(one.file);
    next.see(off, '2026-11-22T08:05:00.000Z');
    expect(next.snapshot.vms['DSM']?.selfOffAt).toBe(at);
    // libvirt was started again, and perhaps its host.
    next.see({ ...off, reason: 'unknown' });
    expect(next.file['DSM']).toMatchObject({ self_off_at: null, last_stop: { by: 'guest' } });
  });

  test('it stopped while nobody looked', () => {
    const one = new Life();
    one.see(domain);
    const next = new Life(one.file);
    next.see({ ...off, reason: 'unknown' }, '2026-11-22T09:00:00.000Z');
    expect(next.file['DSM']?.last_stop).toEqual({
      ...{ by: null, reason: 'unknown', at: '2026-11-22T09:00:00.000Z', seconds: null },
    });
  });

  test('the bridge was killed in the middle of a shutdown', () => {
    const one = new Life();
    one.see(domain);
    one.hear({ type: 'asked', key: 'DSM', asked });
    const next = new Life(one.file);
    next.see(domain, '2026-11-22T08:01:00.000Z');
    expect(next.snapshot.vms['DSM']).toMatchObject({ lastError: { code: 'interrupted' }, asked: { open: false } });
    const last = new Life(next.file);
    last.see(domain, '2026-11-22T08:02:00.000Z');
    expect(last.snapshot.vms['DSM']?.lastError).toBeNull();
    last.see(off, '2026-11-22T08:03:00.000Z');
    expect(last.file['DSM']?.last_stop).toMatchObject({ by: 'ups', seconds: 180 });
  });

  test('a transient domain is gone when it is off, and how it stopped is still known', () => {
    const one = new Life();
    one.see({ ...domain, persistent: false });
    one.hear({ type: 'asked', key: 'DSM', asked });
    one.see(null, '2026-11-22T08:01:00.000Z');
    expect(one.file['DSM']).toMatchObject({ uuid: null, active: false, last_stop: { by: 'ups', seconds: 60 } });
    const next = new Life(one.file);
    expect(next.snapshot.vms['DSM']).toMatchObject({ remembered: null, lastStop: { by: 'ups' } });
    next.see(null);
    expect(next.saved).toEqual([]);
  });
});

describe('is taken back', () => {
  test('all of it', () => {
    expect(recall(fresh, remembered, 'b1')).toEqual({
      ...fresh,
      ...{ remembered: { uuid, active: true, boot: 'b1', thisBoot: true }, lastStop, asked },
    });
    expect(recall(fresh, remembered, 'b2').remembered?.thisBoot).toBe(false);
  });

  test.each(['constructor', '__proto__', 'other', 'dsm'])('nothing of %s', key => {
    const vm = emptyVm(key, 'x');
    expect(recall(vm, remembered, 'b1')).toBe(vm);
  });
});

describe('a file', () => {
  test.each<[what: string, value: unknown]>([
    ['nothing yet', {}],
    ['all of it', remembered],
    ['little of it', { DSM: { ...row, last_stop: null, asked: null } }],
    ['nobody saw it', { DSM: { ...row, last_stop: { ...lastStop, by: null, seconds: null } } }],
    ['no domain', { DSM: { ...row, uuid: null, active: false } }],
    ['times with a zone', { DSM: { ...row, asked: { ...asked, at: '2026-11-22T09:00:00+01:00' } } }],
  ])('may say: %s', (_, value) => {
    expect(rememberedSchema.parse(value)).toEqual(value);
  });

  test('of version 0.1 says nothing of what came later', () => {
    const { self_off_at, wish, boot, ...old } = row;
    expect(rememberedSchema.parse({ DSM: old })).toEqual({
      DSM: { ...row, self_off_at: null, wish: null, boot: null },
    });
  });

  test.each<[what: string, value: unknown]>([
    ['a list', [row]],
    ['a VM that is null', { DSM: null }],
    ['no last_stop at all', { DSM: { uuid, active: true, asked: null } }],
    ['active is a text', { DSM: { ...row, active: 'yes' } }],
    ['a stop without a zone', { DSM: { ...row, last_stop: { ...lastStop, at: '2026-11-22T08:00:00' } } }],
    ['seconds that are none', { DSM: { ...row, last_stop: { ...lastStop, seconds: '42' } } }],
    ['asked until whenever', { DSM: { ...row, asked: { ...asked, until: '' } } }],
  ])('is none with %s', (_, value) => {
    expect(rememberedSchema.safeParse(value).success).toBe(false);
  });
});
