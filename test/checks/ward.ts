import { vi } from 'vitest';
import { Checks, type ChecksOptions } from '../../src/checks/checks.ts';
import type { RememberedChecks } from '../../src/checks/engine/run.ts';
import { type Findings, type Kind, type Limits, outcomeOf } from '../../src/checks/finding.ts';
import type { Probes } from '../../src/checks/probes.ts';
import type { DsmIdentity, ProbeName } from '../../src/model/check.ts';
import type { Activity } from '../../src/model/commands.ts';
import type { Domain } from '../../src/model/domain.ts';
import { reduce } from '../../src/model/reduce.ts';
import { type Event, emptyVm, type Snapshot, type VmSnapshot, type Work } from '../../src/model/snapshot.ts';
import { unknownDisk, unknownStats } from '../../src/model/stats.ts';
import { domain } from '../model/samples.ts';
import { recorder } from '../mqtt/inbox.ts';

export const device: DsmIdentity = {
  ...{ name: 'diskstation', model: 'DS918+', version: '7.1.1-42962', update: 6, address: '10.0.0.20' },
  ...{ httpPort: 5_000, httpsPort: 5_001 },
};

/** What each probe finds. */
export type World = { [P in ProbeName]: Kind<P> };

/** The probes of a guest that is not DSM: nobody asks them. */
export const notAsked: Pick<Probes, 'http' | 'ssh' | 'agent'> = { http: strange, ssh: strange, agent: strange };

function strange(): Promise<never> {
  throw new Error('DSM is not asked that');
}

export const up: World = {
  ...{ bridge: 'ok', neighbour: 'ok', ping: 'ok', tcp: 'all', web: 'dsm', dsm: 'ready', discovery: 'ready' },
  ...{ http: 'ok', ssh: 'ok', agent: 'ok' },
};
export const gone: World = {
  ...up,
  ...{ neighbour: 'silent', ping: 'silent', tcp: 'silent', web: 'closed', dsm: 'silent', discovery: 'silent' },
};

type Policy = ChecksOptions['vms'][number]['checks'];

const policy: Policy = {
  ...{ guest: 'dsm', http: [], ssh: null, agent: false },
  ...{ expected: 'last_commanded', address: null, ports: [5_000, 445], failuresBeforeDown: 2 },
  ...{ bootGrace: 900_000, probeTimeout: 5_000, schedule: null, deepSchedule: '0 0 1 1 *', timezone: null },
};

/** The checks of one VM, with DSM, libvirt and the host played by the test; the clock is vitest's. */
export class Ward {
  readonly log = recorder();
  readonly checks: Checks;
  readonly events: Event[] = [];
  world: World = { ...up };
  /** Probes that never answer. */
  readonly stuck = new Set<ProbeName>();
  /** The probes that were asked, in order. */
  asked: ProbeName[] = [];
  readonly targets: { candidates: readonly string[]; address: string | null }[] = [];
  /** Milliseconds that no timer has seen pass. */
  skipped = 0;
  libvirtKnows: readonly string[] = ['10.0.0.20'];
  rereads = 0;
  /** Of two NICs the one that is not well. */
  worst: Findings['bridge']['worst'] = null;
  runId: number | null = 1;
  uptime = 86_400_000;
  saved: RememberedChecks | null = null;
  snapshot: Snapshot = {
    hypervisor: { name: null, up: false, reason: null, info: null },
    host: null,
    vms: { DSM: emptyVm('DSM', 'DSM VM') },
    overdueChecks: [],
  };

  constructor(changes: Partial<Policy> = {}, remembered: RememberedChecks = {}, boot: string | null = 'boot-1') {
    this.checks = new Checks(
      {
        vms: [{ key: 'DSM', domain: 'DSM', checks: { ...policy, ...changes } }],
        state: this,
        runId: () => this.runId,
        instead: () => 'It has DSM7.',
        reread: async () => {
          this.rereads += 1;
        },
        probes: this.#probes(),
        local: () => true,
        host: { boot, uptime: () => this.uptime },
        save: remembered => {
          this.saved = remembered;
        },
        logger: this.log,
        clock: { date: () => Date.now(), now: () => performance.now() + this.skipped },
      },
      remembered,
    );
    this.checks.start();
  }

  get vm(): VmSnapshot {
    const vm = this.snapshot.vms['DSM'];
    if (!vm) throw new Error('the VM is gone');
    return vm;
  }

  get check() {
    const { check } = this.vm;
    if (!check) throw new Error('nothing was told');
    return check;
  }

  /** The verdicts that were told, in order, repetitions left out. */
  get verdicts(): string[] {
    const all = this.events.flatMap(event => (event.type === 'checked' ? [event.check.verdict] : []));
    return all.filter((verdict, i) => verdict !== all[i - 1]);
  }

  readonly dispatch = (event: Event): void => {
    this.events.push(event);
    this.snapshot = reduce(this.snapshot, event);
    this.checks.hear(event);
  };

  /** What libvirt says of the domain. */
  seen(now: Domain | null): void {
    this.dispatch({ type: 'domain', key: 'DSM', domain: now, at: new Date().toISOString() });
  }

  libvirt(up: boolean): void {
    const info = { hostname: 'nas', libvirt: '9.0.0', hypervisor: 'QEMU 7.2.22' };
    this.dispatch(up ? { type: 'hypervisor_up', info } : { type: 'hypervisor_down', reason: 'killed' });
  }

  /** A check on command, with the world as it is now, and the time that it takes. */
  async command(world: Partial<World> = {}): Promise<string> {
    this.world = { ...this.world, ...world };
    const [said] = await Promise.all([this.checks.check('DSM'), vi.advanceTimersByTimeAsync(100)]);
    return said;
  }

  /** Lets time pass with the world as it is now. */
  async live(world: Partial<World>, milliseconds: number): Promise<void> {
    this.world = { ...this.world, ...world };
    await vi.advanceTimersByTimeAsync(milliseconds);
  }

  /** Another run of the machine begins. */
  powerOn(world: World = this.world, now: Domain = domain): void {
    this.world = { ...world };
    this.runId = 2;
    this.seen(now);
  }

  /** Requests that libvirt has counted at its data disk. */
  sample(requests: number): void {
    const sda = { ...unknownDisk, read_operations: requests, write_operations: 7 };
    this.dispatch({ type: 'stats', stats: new Map([['DSM', { ...unknownStats(null), disks: { sda } }]]) });
  }

  /** libvirt is there, and the domain as it is. */
  begin(now: Domain | null = domain): this {
    this.seen(now);
    this.libvirt(true);
    return this;
  }

  #probes(): Probes {
    const answer = async <P extends ProbeName>(
      probe: P,
      { signal }: Limits,
      rest: object = {},
    ): Promise<Findings[P]> => {
      this.asked.push(probe);
      if (this.stuck.has(probe)) await new Promise((_, reject) => signal.addEventListener('abort', reject));
      const kind = this.world[probe] as Kind<P>;
      const ms = outcomeOf(probe, kind) === 'ok' ? 1 : null;
      return { kind, ms, explanation: `${probe} is ${kind}.`, ...rest } as unknown as Findings[P];
    };
    const accepting = { all: [5_000, 445], some: [5_000], refused: [], silent: [], not_applicable: [] };
    return {
      bridge: ({ nics }, limits) => answer('bridge', limits, { mac: nics[0]?.mac ?? null, worst: this.worst }),
      neighbour: async ({ candidates }, limits) => {
        this.targets.push({ candidates, address: null });
        const address = this.world.neighbour === 'ok' ? (candidates[0] ?? null) : null;
        const found = await answer('neighbour', limits, { address });
        return candidates.length > 0 || address !== null ? found : { ...found, kind: 'not_applicable' };
      },
      ping: (_, limits) => answer('ping', limits),
      tcp: ({ address, ports }, limits) => {
        this.targets.push({ candidates: [], address });
        const open: readonly number[] = accepting[this.world.tcp];
        return answer('tcp', limits, { open, closed: ports.filter(port => !open.includes(port)) });
      },
      web: (_, limits) => {
        const port = this.world.web === 'closed' ? null : 5_000;
        return answer('web', limits, { port, secure: false, name: null, base: '' });
      },
      dsm: (_, limits) => answer('dsm', limits, { identity: null }),
      discovery: (_, limits) => {
        const mute = ['silent', 'not_applicable'].includes(this.world.discovery);
        return answer('discovery', limits, { device: mute ? null : device });
      },
      http: (_, limits) => answer('http', limits, { certificateDays: 90 }),
      ssh: (_, limits) => answer('ssh', limits),
      agent: (_, limits) => answer('agent', limits),
      addresses: async () => this.libvirtKnows,
      resolve: async name => (name === 'nas.lan' ? '10.0.0.21' : null),
    };
  }
}

export function workOn(activity: Activity): Work {
  const at = new Date().toISOString();
  return { activity, phase: 'waiting_for_guest', since: at, deadline: at, attempt: 1, startAfterOff: false };
}
