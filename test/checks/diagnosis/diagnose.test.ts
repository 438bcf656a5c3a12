/** What is the matter, for every combination of what can be found; and whether that is a problem. */
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../../src/checks/diagnosis/diagnose.ts';
import { type Cause, causesOf, diagnoses } from '../../../src/checks/diagnosis/diagnoses.ts';
import { type Evidence, machines } from '../../../src/checks/diagnosis/evidence.ts';
import { isProblem, ofExpectation } from '../../../src/checks/diagnosis/expected.ts';
import { kinds } from '../../../src/checks/finding.ts';
import { probesOf, wishes } from '../../../src/model/check.ts';
import { combinations, eachEvidence, healthy, mute } from './evidence.ts';

describe('typical cases', () => {
  const young: Partial<Evidence> = { age: 'young', past: 'fresh' };
  const closed: Partial<Evidence> = { tcp: 'refused', web: 'closed', dsm: 'not_applicable' };
  test.each<[what: string, evidence: Partial<Evidence>, cause: Cause, base?: Evidence]>([
    ['all is well', {}, 'up'],
    ['all is well, and nothing but the API can be asked', allUnknown({ dsm: 'ready', web: 'dsm', tcp: 'all' }), 'up'],
    ['libvirt is away, and DSM answers', { machine: 'unseen' }, 'up'],
    ['its disks sleep', { dsm: 'asleep' }, 'up_asleep'],
    ['a service is off', { tcp: 'some' }, 'port_closed'],
    ['the cable of the host is out', { bridge: 'no_uplink' }, 'cut_off'],
    ['the API is dead', { dsm: 'silent' }, 'api_silent'],
    ['the API is busy', { dsm: 'mute' }, 'api_silent'],
    ['the API is not there yet, says its web server', { ...young, dsm: 'mute' }, 'starting'],
    ['another NAS has its address', { neighbour: 'taken', discovery: 'silent' }, 'disputed'],
    ['its loader gave it another MAC, by which discovery knows it', { neighbour: 'taken' }, 'up'],
    [
      'libvirt is away, and its page hangs',
      { machine: 'unseen', web: 'silent', dsm: 'not_applicable', discovery: 'silent' },
      'hangs',
    ],
    ['the API is not there yet', { ...young, dsm: 'silent' }, 'starting'],
    ['nothing is there yet', young, 'booting', mute],
    ['nothing is there yet but the kernel', { ...young, ...closed, discovery: 'not_applicable' }, 'booting'],
    ['it says that it boots', { ...young, ...closed, discovery: 'booting' }, 'booting_dsm'],
    ['it says so for hours', { ...closed, age: 'old', past: 'fresh', discovery: 'booting' }, 'booting_late'],
    ['its boot is not done', { ...young, dsm: 'starting' }, 'starting'],
    ['its boot is done, its services are not', { ...young, discovery: 'starting' }, 'starting'],
    ['they are never done', { age: 'grown', past: 'fresh', discovery: 'starting' }, 'starting_late'],
    ['they were done before: discovery is behind', { discovery: 'starting' }, 'up'],
    ['it updates, past its time to boot', { ...closed, age: 'grown', discovery: 'updating' }, 'updating'],
    ['it updates for ever', { ...closed, age: 'old', discovery: 'updating' }, 'updating_late'],
    ['it is being installed', { dsm: 'updating', web: 'installer', age: 'grown' }, 'updating'],
    ['no DSM', { dsm: 'installer', web: 'installer', discovery: 'installer' }, 'installer'],
    ['no DSM, seen by its page alone', { dsm: 'silent', web: 'installer', discovery: 'silent' }, 'installer'],
    ['another DSM', { dsm: 'migratable', web: 'installer' }, 'migratable'],
    ['a broken DSM', { dsm: 'recoverable', web: 'installer' }, 'recoverable'],
    ['a broken DSM, seen by discovery alone', { ...closed, discovery: 'recoverable' }, 'recoverable'],
    ['the loader waits', { ...mute, past: 'fresh', web: 'loader', tcp: 'refused' }, 'loader'],
    ['the loader passes by', { ...mute, ...young, web: 'loader', tcp: 'refused' }, 'loader_passing'],
    ['SSH alone, of a DSM that was up', { ...mute, neighbour: 'ok', web: 'loader', tcp: 'refused' }, 'ports_closed'],
    ['its link is down', { ...mute, bridge: 'link_down' }, 'link_down'],
    ['its link is down from the start', { ...mute, ...young, bridge: 'link_down' }, 'link_down'],
    ['its tap is in the wrong bridge', { ...mute, bridge: 'misplugged' }, 'misplugged'],
    ['the bridge has no cable, and nothing answers', { ...mute, bridge: 'no_uplink' }, 'no_uplink'],
    ['another machine has its address', { ...mute, neighbour: 'taken' }, 'taken'],
    ['it hangs', {}, 'silent', mute],
    ['it has died a moment ago', { neighbour: 'ok' }, 'silent', mute],
    ['only the kernel answers', { neighbour: 'ok', ping: 'ok' }, 'filtered', mute],
    [
      'somewhere else, nothing answers',
      { neighbour: 'not_applicable', discovery: 'not_applicable' },
      'no_answer',
      mute,
    ],
    ['its ports are closed', { ...mute, neighbour: 'ok', tcp: 'refused' }, 'ports_closed'],
    ['its web ports are closed', { ...closed, tcp: 'some', discovery: 'silent' }, 'no_web'],
    ['its web server is dead', { ...closed, tcp: 'some' }, 'web_dead'],
    ['its web server hangs', { web: 'silent', dsm: 'not_applicable', discovery: 'silent' }, 'hangs'],
    ['no disk', { dsm: 'no_disk', web: 'installer', discovery: 'installer' }, 'no_disk'],
    ['a disk that is too small', { dsm: 'small_disk', web: 'installer' }, 'small_disk'],
    ['something stands before it', { web: 'behind', dsm: 'other', discovery: 'silent' }, 'behind'],
    [
      'something stands before it, and it boots',
      { ...young, web: 'behind', dsm: 'other', discovery: 'silent' },
      'booting',
    ],
    ['something stands before it, and discovery hears it', { web: 'behind', dsm: 'other' }, 'up_behind'],
    ['its owner put another page before it, and discovery hears it', { web: 'other', dsm: 'other' }, 'up_behind'],
    ['something stands before it, and a service is off', { web: 'behind', dsm: 'other', tcp: 'some' }, 'port_closed'],
    ['something stands before it, and it hangs', { web: 'behind', dsm: 'silent', discovery: 'silent' }, 'hangs'],
    ['something stands before it, discovery hears it, and it hangs', { web: 'behind', dsm: 'silent' }, 'web_dead'],
    [
      'libvirt is away, and something stands before it',
      { machine: 'unseen', web: 'behind', dsm: 'other', discovery: 'silent' },
      'behind',
    ],
    [
      'libvirt is away, and a router answers',
      { machine: 'unseen', web: 'other', dsm: 'other', discovery: 'silent' },
      'other_page',
    ],
    ['a router answers', { web: 'other', dsm: 'other', discovery: 'silent' }, 'other_page'],
    ['it shuts down, and still answers', { machine: 'stopping' }, 'up'],
    ['it shuts down', { machine: 'stopping' }, 'stopping', mute],
    ['nobody answers', { machine: 'unseen' }, 'unseen', mute],
    ['no ports are configured, and all is well', { tcp: 'not_applicable' }, 'up'],
    [
      'no ports are configured, and it hangs',
      { tcp: 'not_applicable' },
      'no_answer',
      { ...mute, neighbour: 'not_applicable' },
    ],
    [
      'no ports are configured, and only its web server is down',
      { ...closed, tcp: 'not_applicable', discovery: 'silent' },
      'no_web',
    ],
    ['nobody knows where', allUnknown({}), 'address_unknown'],
    ['macvtap, from its own host', allUnknown({ bridge: 'macvtap', tcp: 'silent' }), 'out_of_sight'],
    ['off', { machine: 'off' }, 'off'],
    ['QEMU was killed', { machine: 'died' }, 'died'],
    ['a disk of the host is full', { machine: 'io_error' }, 'io_error'],
  ])('%s', (_, evidence, cause, base = healthy) => {
    expect(diagnose({ ...base, ...evidence })).toBe(cause);
  });
});

test(`all ${combinations} combinations`, { timeout: 120_000 }, () => {
  const reached = new Set<Cause>();
  const wrong: object[] = [];
  let visited = 0;
  eachEvidence(evidence => {
    visited += 1;
    const cause = diagnose(evidence);
    reached.add(cause);
    if (!isSound(evidence, cause) && wrong.length < 5) wrong.push({ ...evidence, cause });
  });
  expect(wrong).toEqual([]);
  expect(visited).toBe(combinations);
  expect(combinations).toBe(
    probesOf.dsm.reduce((all, probe) => all * Object.values(kinds[probe]).flat().length, 10 * 3 * 2),
  );
  // Before the first check there is no evidence.
  expect([...reached, 'not_checked'].sort()).toEqual([...causesOf.dsm].sort());
});

const halted: ReadonlySet<string> = new Set(['off', 'died', 'paused', 'io_error', 'asleep', 'crashed', 'absent']);
const hostFaults: ReadonlySet<string> = new Set([
  ...['link_down', 'no_tap', 'tap_down', 'misplugged', 'bridge_down', 'no_uplink'],
]);

/** What must hold whatever is found, said in other words than the code's. */
function isSound(evidence: Evidence, cause: Cause): boolean {
  const { machine, age, past, bridge, neighbour, ping, tcp, web, dsm, discovery } = evidence;
  const row = diagnoses[cause];
  if (!row) return false;
  if (halted.has(machine)) return cause === machine;
  const { verdict, problem } = row;
  const before = (web === 'behind' || web === 'other') && (dsm === 'other' || dsm === 'not_applicable');
  const ready = dsm === 'ready' || dsm === 'asleep' || (before && discovery === 'ready');
  const guestSpeaks =
    !['other', 'silent', 'not_applicable'].includes(dsm) ||
    !['ready', 'silent', 'not_applicable'].includes(discovery) ||
    web === 'dsm' ||
    web === 'installer';
  switch (verdict) {
    case 'up':
      return (
        ready &&
        !hostFaults.has(bridge) &&
        tcp !== 'some' &&
        discovery !== 'updating' &&
        (neighbour !== 'taken' || discovery === 'ready')
      );
    case 'degraded':
      return ready
        ? hostFaults.has(bridge) || tcp === 'some' || neighbour === 'taken'
        : web === 'dsm' || dsm === 'mute' || (before && tcp === 'some');
    case 'starting':
      return problem === (age !== 'young') && (dsm === 'starting' || discovery === 'starting' || past === 'fresh');
    case 'updating':
      return problem === (age === 'old') && (dsm === 'updating' || discovery === 'updating');
    case 'booting':
      return problem === (age !== 'young') && !ready && (discovery === 'booting' || past === 'fresh');
    case 'loader':
      return problem === (age !== 'young') && web === 'loader' && past === 'fresh' && !guestSpeaks;
    case 'installer':
    case 'recoverable':
      return problem && !ready && (web === 'installer' || dsm === cause || discovery === cause);
    case 'unreachable':
      if (guestSpeaks || !problem) return false;
      // Without libvirt a silent machine may as well be off.
      if (machine === 'unseen') return cause !== 'silent' && cause !== 'no_answer';
      if (machine !== 'running') return false;
      if (hostFaults.has(cause)) return bridge === cause;
      if (cause === 'silent') return [neighbour, discovery, ping].includes('silent');
      if (cause === 'filtered') return tcp === 'silent' && (neighbour === 'ok' || ping === 'ok');
      return true;
    case 'unknown':
      if (cause === 'behind') return !guestSpeaks && web === cause && before && tcp !== 'some';
      return !guestSpeaks && (machine !== 'running' || ['address_unknown', 'out_of_sight'].includes(cause));
    default:
      return false;
  }
}

function allUnknown(more: Partial<Evidence>): Evidence {
  const nothing = 'not_applicable' as const;
  return {
    ...healthy,
    ...{ bridge: nothing, neighbour: nothing, ping: nothing, tcp: nothing, web: nothing, dsm: nothing },
    discovery: nothing,
    ...more,
  };
}

describe('a problem is a difference from what it is meant to be', () => {
  const running = causesOf.dsm.filter(cause => !halted.has(cause));

  test.each([...wishes, null])('meant to be %s, running: as the table says, or that it runs at all', wish => {
    for (const cause of running) {
      const { verdict, problem } = diagnoses[cause];
      const expected = wish === 'off' ? true : verdict === 'unknown' ? null : problem;
      expect([cause, isProblem(cause, 'running', { wish, busy: false, settling: false })]).toEqual([cause, expected]);
    }
  });

  test.each<
    [
      machine: Evidence['machine'],
      running: boolean | null,
      paused: boolean | null,
      off: boolean | null,
      nobody: boolean | null,
    ]
  >([
    ['off', true, true, false, false],
    ['paused', true, false, true, true],
    ['asleep', true, false, true, true],
    ['io_error', true, true, true, true],
    ['crashed', true, true, true, true],
    ['died', true, true, false, true],
    ['absent', true, true, false, true],
    ['stopping', false, false, false, false],
    ['unseen', null, null, null, null],
  ])('%s', (machine, ...expected) => {
    const cause = diagnose({ ...mute, machine });
    const found = (['running', 'paused', 'off', null] as const).map(wish =>
      isProblem(cause, machine, { wish, busy: false, settling: false }),
    );
    expect(found).toEqual(expected);
  });

  test('off by its own guest is none before that is settled; that QEMU died is one at once', () => {
    const own = { wish: 'running', busy: false, settling: true } as const;
    expect(isProblem('off', 'off', own)).toBe(false);
    expect(isProblem('died', 'died', own)).toBe(true);
  });

  test('while the bridge carries a command out only what broke is one', () => {
    for (const machine of machines) {
      const cause = diagnose({ ...mute, machine });
      for (const wish of [...wishes, null]) {
        const broken = machine === 'crashed' || machine === 'io_error';
        expect(isProblem(cause, machine, { wish, busy: true, settling: false })).toBe(broken);
      }
    }
  });

  test('the difference is put in words, where there is one', () => {
    expect(ofExpectation('running', { wish: 'off', settling: false })?.reason).toBe('It is meant to be off.');
    expect(ofExpectation('off', { wish: 'running', settling: false })?.next).toMatch(/^Start it/);
    for (const [machine, wish] of [
      ['off', 'off'],
      ['off', null],
      ['running', 'running'],
      ['running', null],
      ['paused', 'paused'],
      ['absent', 'off'],
    ] as const) {
      expect(ofExpectation(machine, { wish, settling: false })).toBeNull();
    }
  });
});
