/** What is the matter with a guest that is not DSM, for every combination of what can be found. */
import { describe, expect, test } from 'vitest';
import { diagnoseOther } from '../../../src/checks/diagnosis/diagnose-other.ts';
import { type Cause, causesOf, diagnoses } from '../../../src/checks/diagnosis/diagnoses.ts';
import type { OtherEvidence } from '../../../src/checks/diagnosis/evidence.ts';
import { outcomeOf } from '../../../src/checks/finding.ts';
import { eachOtherEvidence, otherCombinations } from './evidence.ts';

/** All is well, and all is configured. */
const healthy: OtherEvidence = {
  ...{ machine: 'running', age: 'old', past: 'was_up', bridge: 'ok', neighbour: 'ok', ping: 'ok' },
  ...{ tcp: 'all', http: 'ok', ssh: 'ok', agent: 'ok', askable: 'network' },
};
const mute: OtherEvidence = {
  ...healthy,
  ...{ neighbour: 'silent', ping: 'silent', tcp: 'silent', http: 'silent', ssh: 'silent', agent: 'silent' },
};
const none = 'not_applicable' as const;
/** Nothing is configured. */
const bare: OtherEvidence = { ...healthy, tcp: none, http: none, ssh: none, agent: none, askable: 'nothing' };
const agentAlone: OtherEvidence = { ...bare, agent: 'ok', askable: 'agent' };
const remote: Partial<OtherEvidence> = { bridge: none, neighbour: none, ping: none };

describe('typical cases', () => {
  const young: Partial<OtherEvidence> = { age: 'young', past: 'fresh' };
  test.each<[what: string, evidence: Partial<OtherEvidence>, cause: Cause, base?: OtherEvidence]>([
    ['all is well', {}, 'up'],
    ['libvirt is away, and it answers', { machine: 'unseen' }, 'up'],
    ['it shuts down, and still answers', { machine: 'stopping' }, 'up'],
    ['a port is closed', { tcp: 'some' }, 'port_closed'],
    ['all ports are closed, and SSH answers', { tcp: 'refused' }, 'port_closed'],
    ['a page has another status', { http: 'wrong' }, 'page_wrong'],
    ['a page does not come', { http: 'some' }, 'page_missing'],
    ['its web server is down', { http: 'refused' }, 'page_missing'],
    ['a certificate has expired', { http: 'expired' }, 'certificate_invalid'],
    ['a certificate has expired, while it boots', { ...young, http: 'expired' }, 'certificate_invalid'],
    ['its SSH server says nothing', { ssh: 'mute' }, 'ssh_missing'],
    ['its agent hangs', { agent: 'silent' }, 'agent_missing'],
    ['the cable of the host is out', { bridge: 'no_uplink' }, 'cut_off'],
    ['another machine has its address', { neighbour: 'taken' }, 'taken'],
    ['its services still start', { ...young, http: 'refused' }, 'starting'],
    ['nothing answers yet', young, 'booting', mute],
    ['nothing answers any more', {}, 'silent', mute],
    ['only the kernel answers', { neighbour: 'ok', ping: 'ok' }, 'services_silent', mute],
    ['its ports refuse', { tcp: 'refused' }, 'services_silent', mute],
    ['its web server accepts, and gives no page', { http: 'mute' }, 'services_silent', mute],
    ['only the agent answers', { neighbour: 'ok', ping: 'ok', agent: 'ok' }, 'services_silent', mute],
    ['its link is down', { bridge: 'link_down' }, 'link_down', mute],
    ['the bridge has no cable, and nothing answers', { bridge: 'no_uplink' }, 'no_uplink', mute],
    ['on another host nothing answers', remote, 'no_answer', mute],
    ['macvtap, from its own host', { ...remote, bridge: 'macvtap' }, 'out_of_sight', mute],
    ['nobody knows where', { ...remote, tcp: none, http: none, ssh: none }, 'address_unknown', mute],
    ['it shuts down', { machine: 'stopping' }, 'stopping', mute],
    ['libvirt is away, and nothing answers', { machine: 'unseen' }, 'unseen', mute],
    ['libvirt is away, and its ports refuse', { machine: 'unseen', tcp: 'refused' }, 'services_silent', mute],
    ['nothing is configured, and its card answers', { ping: 'silent' }, 'up', bare],
    ['nothing is configured, and a ping answers', { neighbour: none }, 'up', bare],
    ['nothing is configured, and nothing answers', { neighbour: 'silent', ping: 'silent' }, 'silent', bare],
    ['nothing is configured, on another host', remote, 'nothing_to_ask', bare],
    ['the agent alone answers', {}, 'up', agentAlone],
    ['the agent alone, on another host', remote, 'up', agentAlone],
    ['the agent alone hangs', { agent: 'silent' }, 'agent_missing', agentAlone],
    ['the agent alone hangs, on another host', { ...remote, agent: 'silent' }, 'services_silent', agentAlone],
    ['off', { machine: 'off' }, 'off'],
    ['QEMU was killed', { machine: 'died' }, 'died'],
  ])('%s', (_, evidence, cause, base = healthy) => {
    expect(diagnoseOther({ ...base, ...evidence })).toBe(cause);
  });
});

test(`all ${otherCombinations} combinations`, { timeout: 120_000 }, () => {
  const reached = new Set<Cause>();
  const wrong: object[] = [];
  let visited = 0;
  eachOtherEvidence(evidence => {
    visited += 1;
    const cause = diagnoseOther(evidence);
    reached.add(cause);
    if (!isSound(evidence, cause) && wrong.length < 5) wrong.push({ ...evidence, cause });
  });
  expect(wrong).toEqual([]);
  expect(visited).toBe(otherCombinations);
  expect([...reached, 'not_checked'].sort()).toEqual([...causesOf.other].sort());
});

const halted: ReadonlySet<string> = new Set(['off', 'died', 'paused', 'io_error', 'asleep', 'crashed', 'absent']);

/** What must hold whatever is found, said in other words than the code's. */
function isSound(evidence: OtherEvidence, cause: Cause): boolean {
  const { machine, age, past, bridge, neighbour, ping, tcp, http, ssh, agent, askable } = evidence;
  if (halted.has(machine)) return cause === machine;
  const outcomes = [outcomeOf('tcp', tcp), outcomeOf('http', http), outcomeOf('ssh', ssh), outcomeOf('agent', agent)];
  const failed = outcomes.includes('failed');
  const answers = {
    network:
      outcomes.slice(0, 3).includes('ok') || tcp === 'some' || ssh === 'other' || /expired|wrong|some/.test(http),
    agent: agent === 'ok',
    nothing: neighbour === 'ok' || ping === 'ok',
  }[askable];
  const { verdict } = diagnoses[cause];
  switch (verdict) {
    case 'up':
      return answers && !failed && outcomeOf('bridge', bridge) !== 'failed';
    case 'degraded':
      return neighbour !== 'taken' && (failed || outcomeOf('bridge', bridge) === 'failed');
    case 'starting':
    case 'booting':
      return age === 'young' && past === 'fresh' && (verdict === 'booting' || answers);
    case 'unreachable':
      if (machine === 'unseen') return cause === 'services_silent' && !answers;
      return machine === 'running' && (!answers || neighbour === 'taken');
    case 'unknown':
      return !answers || neighbour === 'taken';
    default:
      return false;
  }
}
