/** What may happen in a history of the whole bridge, for fast-check, and how it does. */
import fc from 'fast-check';
import { ConnectionLost, TimeoutError } from '../../src/libvirt/errors.ts';
import type { CommandWord } from '../../src/model/commands.ts';
import { off } from '../model/samples.ts';
import { domains, durations, kind, obeyed, policies, timeouts, verdicts, words } from '../model/stories.ts';
import { type Meant, type Packet, type Rules, refusal, type World } from './dispatcher-world.ts';

const usually = <T>(most: T, ...rest: T[]) => fc.constantFrom(...Array.from({ length: 12 }, () => most), ...rest);
const option = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null, freq: 2 });
export const rules: fc.Arbitrary<Rules> = fc.record({
  policy: policies,
  readOnly: usually(false, true),
  version: fc.constantFrom(5, 5, 4),
  reads: usually<Rules['reads']>('works', 'fails', 'hangs'),
  takes: fc.boolean(),
  checks: fc.boolean(),
});

const key = fc.constantFrom('DSM', 'DSM', 'DSM', 'DSM', 'other');
/** What arrives as text and is no command. */
const junk = [
  ...['{', 'fly', 'null', '[]', '{"command":"fly"}', '{"command":7}', 'x'.repeat(5_000), 'start\u0000', '{}'],
  ...['{"command":"shutdown","force":true}', '{"command":"shutdown","timeout":-1}', '{"command":"start","by":"host"}'],
  ...['{"command":"force_off","on_timeout":"force_off"}', '{"command":"reset","expires_at":"tomorrow"}'],
  ...['{"command":"shutdown","expires_at":"2026-02-30T00:00:00Z"}', '{"command":"autostart"}', 'OFFF'],
];
const given = kind('command', {
  key: fc.oneof({ weight: 30, arbitrary: key }, fc.constantFrom('nobody', 'bridge', 'constructor')),
  word: words,
  form: fc.constantFrom<'json' | 'word' | 'power' | 'junk' | 'local'>(
    'json',
    'json',
    'json',
    'json',
    'word',
    'power',
    'junk',
    'local',
  ),
  junk: fc.constantFrom(...junk),
  id: fc.constantFrom(null, null, 'a', 'b'),
  timeout: option(timeouts),
  onTimeout: option(fc.constantFrom('report' as const, 'force_off' as const)),
  method: option(fc.constantFrom('acpi' as const, 'agent' as const, 'auto' as const, 'guest' as const)),
  enabled: fc.boolean(),
  confirm: fc.boolean(),
  /** Milliseconds from now. */
  expires: usually<number | null>(null, -1, 0, 5_000, 100_000),
  retain: usually(false, true, true),
  /** Of the message, seconds: MQTT 5. */
  expiry: usually<number | undefined>(undefined, 0, 5),
  reply: usually<string | undefined>(undefined, 'me', 'me/too', 'b/DSM/response', 'b/bridge/state', 'ha', 'a/+', 'bb'),
  mark: usually<Buffer | undefined>(undefined, Buffer.from('mark'), Buffer.alloc(1_025)),
});
type Given = typeof given extends fc.Arbitrary<infer T> ? T : never;

const failures = fc.constantFrom(
  () => refusal('no'),
  () => new ConnectionLost('lost'),
  () => new TimeoutError('hangs'),
);
const become = kind('become', {
  key,
  domain: domains,
  /** Whose UUID it has: its own, that of the domain before it, or one of the other VM's. */
  who: usually<'same' | 'new' | 'twin'>('same', 'new', 'new', 'new', 'twin'),
  told: fc.constantFrom(true, true, true, false),
});
const examine = kind('examine', { key, verdict: verdicts });
const time = kind('time', { duration: durations });
const actions = fc.oneof(
  { weight: 8, arbitrary: given },
  { weight: 5, arbitrary: time },
  /** libvirt and the guest do what they were asked to. */
  { weight: 5, arbitrary: kind('obey', { key, but: fc.constantFrom(0, 0, 0, 1) }) },
  { weight: 2, arbitrary: kind('answer', { key, but: fc.constantFrom(0, 0, 1, 2) }) },
  { weight: 2, arbitrary: kind('refuse', { key, but: fc.constantFrom(0, 0, 1), failure: failures }) },
  { weight: 3, arbitrary: become },
  { weight: 3, arbitrary: kind('link', { there: fc.constantFrom(false, true, true), first: fc.boolean() }) },
  { weight: 1, arbitrary: kind('stick', { stuck: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: kind('broker', { there: fc.constantFrom(false, true, true), soon: usually(true, false, false, false) }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ what: 'again' } as const, { what: 'grant' } as const) },
  { weight: 1, arbitrary: kind('rebooted', { key }) },
  { weight: 3, arbitrary: examine },
  { weight: 1, arbitrary: kind('ports', { open: fc.constantFrom(true, true, false, null) }) },
  { weight: 1, arbitrary: fc.constantFrom({ what: 'simple' } as const, { what: 'write' } as const) },
  { weight: 1, arbitrary: kind('restart', { how: fc.constantFrom('close', 'kill') }) },
);
export type Action = typeof actions extends fc.Arbitrary<infer T> ? T : never;

const DSM = 'DSM' as const;
const back = { what: 'link', there: true, first: false } as const;
const plain = { key: DSM, form: 'json', expires: null, retain: false, expiry: undefined, mark: undefined } as const;
const some = fc.array(actions, { maxLength: 3 });
/** Chance alone seldom comes to what needs one thing after the other. */
export const scenes = fc.oneof(
  { weight: 12, arbitrary: actions.map(action => [action]) },
  // Given while libvirt is away.
  fc
    .tuple(given, some, fc.boolean())
    .map(([first, then, told]): Action[] => [
      { what: 'link', there: false, first: told },
      ...[{ ...first, ...plain, id: null }, ...then, back],
      { what: 'time', duration: 60_000 },
    ]),
  // Stored, and told again in another session.
  fc
    .tuple(given, some, fc.boolean())
    .map(([first, then, away]): Action[] => [
      ...(away ? [{ what: 'broker', there: false, soon: true } as const] : []),
      { ...first, key: DSM, retain: true },
      ...then,
      { what: 'broker', there: false, soon: true },
      { what: 'broker', there: true, soon: true },
    ]),
  // Its time is up, while DSM does something or other.
  fc
    .tuple(given, examine, some, durations)
    .map(([first, says, then, duration]): Action[] => [
      { ...says, key: DSM },
      { ...first, ...plain, word: 'shutdown', onTimeout: 'force_off', id: null },
      ...[...then, { ...says, key: DSM }],
      { what: 'time', duration },
    ]),
  // Given a moment ago, and given up.
  fc
    .tuple(given, some, durations)
    .map(([last, then, duration]): Action[] => [
      ...then,
      { ...last, ...plain, word: 'cancel', id: null },
      { what: 'time', duration },
    ]),
  // One that has another domain's place.
  fc
    .tuple(become, some, durations)
    .map(([is, then, duration]): Action[] => [{ ...is, key: DSM, who: 'new' }, ...then, { what: 'time', duration }]),
  // libvirt is away while the guest is to power off, and the checks go on.
  fc
    .tuple(given, examine, some)
    .map(([first, says, then]): Action[] => [
      { ...first, ...plain, word: 'shutdown', timeout: 300_000, id: null },
      ...[{ what: 'link', there: false, first: false } as const, ...then],
      ...[{ what: 'time', duration: 60_000 } as const, { ...says, key: DSM }, back],
    ]),
  // Asked to power off, and that does not leave, or takes a second call; and it is not wanted any more.
  fc
    .tuple(given, examine, some, fc.boolean(), fc.boolean())
    .map(([first, says, then, stuck, given]): Action[] => [
      { what: 'stick', stuck },
      { ...first, ...plain, word: 'shutdown', method: 'auto', id: null },
      given ? { ...first, ...plain, word: 'cancel', id: null } : { ...says, key: DSM },
      ...[...then, { what: 'stick', stuck: false } as const],
      { what: 'refuse', key: DSM, but: 0, failure: () => refusal('no agent') },
    ]),
  // The base topic is not the bridge's yet.
  fc
    .tuple(given, durations)
    .map(([first, duration]): Action[] => [
      { what: 'broker', there: false, soon: true },
      { what: 'broker', there: true, soon: false },
      { ...first, ...plain },
      { what: 'time', duration },
      { what: 'grant' },
    ]),
  // Two VMs of the configuration are one domain.
  fc
    .tuple(become, given, given, some, key)
    .map(([is, first, then, more, other]): Action[] => [
      { ...first, ...plain, key: 'other', id: null },
      ...[{ ...is, key: other, who: 'twin', told: true } as const, ...more],
      { ...then, ...plain, key: other, id: null },
    ]),
  // A rebuild, and who comes in between.
  fc
    .tuple(given, fc.constantFrom<CommandWord>('shutdown', 'shutdown', 'cancel', 'start'), some, fc.boolean())
    .map(([first, word, then, off]): Action[] => [
      { ...first, ...plain, word: 'rebuild', confirm: true },
      ...(off ? [{ what: 'obey', key: DSM, but: 0 } as const] : []),
      ...[{ ...first, ...plain, word, id: null }, ...then, { what: 'write' } as const, { what: 'write' } as const],
      { what: 'obey', key: DSM, but: 0 },
    ]),
  // The pause before a start.
  fc
    .tuple(given, some)
    .map(([next, then]): Action[] => [
      { what: 'become', key: DSM, domain: off, who: 'same', told: true },
      ...[{ ...next, key: DSM }, ...then],
      { what: 'time', duration: 10_000 },
    ]),
);
/** Most of what can go wrong goes wrong while a guest is to power off. */
export const openings = fc.oneof(
  fc.constant([]),
  fc
    .tuple(given, fc.constantFrom<CommandWord>('shutdown', 'shutdown', 'reboot', 'rebuild'))
    .map(([first, word]): Action[] => [{ ...first, ...plain, word, confirm: true }]),
);

const switches: readonly CommandWord[] = ['autostart', 'arm', 'quiet'];

/** What is sent, and what is meant by it. */
function message(said: Given, date: number): { packet: Packet; meant: Meant } {
  const { word, form, onTimeout, method, timeout, expires, retain, reply, mark, expiry } = said;
  const stops = ['shutdown', 'reboot', 'rebuild', 'rollback'].includes(word);
  const ofWord = word === 'reboot' ? method === 'guest' : word === 'shutdown' && method !== 'guest';
  const expiresAt = expires === null ? null : date + expires;
  const body = {
    command: word,
    ...(said.id !== null && { id: said.id }),
    ...(timeout !== null && (stops || word === 'start') && { timeout: `${timeout}ms` }),
    ...(onTimeout !== null && stops && { on_timeout: onTimeout }),
    ...(method !== null && ofWord && { method }),
    ...(switches.includes(word) && { enabled: said.enabled }),
    ...((word === 'rebuild' || word === 'rollback') && { confirm: said.confirm }),
    ...(expiresAt !== null && { expires_at: new Date(expiresAt).toISOString() }),
  };
  const power = said.enabled ? 'ON' : 'OFF';
  const payload = { json: JSON.stringify(body), local: JSON.stringify(body), word, power, junk: said.junk }[form];
  const properties = {
    ...(reply !== undefined && { responseTopic: reply }),
    ...(mark !== undefined && { correlationData: mark }),
    ...(expiry !== undefined && { messageExpiryInterval: expiry }),
  };
  const topic = `b/${said.key}/${form === 'power' ? 'power/set' : 'command'}`;
  const whole = form === 'json' || form === 'local';
  const bare = { key: said.key, id: null, onTimeout: null, expiresAt: null };
  const wordAlone = switches.includes(word) ? null : word;
  const meant: Meant = whole
    ? { key: said.key, word, id: said.id, onTimeout: stops ? onTimeout : null, expiresAt }
    : { ...bare, word: form === 'junk' ? null : form === 'power' ? (said.enabled ? 'start' : 'shutdown') : wordAlone };
  return { packet: { topic, payload, retain, properties }, meant };
}

export function act(world: World, action: Exclude<Action, { what: 'time' | 'restart' }>): void {
  switch (action.what) {
    case 'command': {
      const { packet, meant } = message(action, world.date);
      if (action.form === 'local') world.local(packet.payload, meant);
      else world.publish(packet, meant);
      break;
    }
    case 'obey': {
      const made = world.latest(action.key, action.but);
      if (!made) break;
      made.settle(null);
      world.become(action.key, { ...obeyed[made.call], uuid: made.uuid }, true);
      if (made.call === 'guest_reboot') world.rebooted(action.key);
      break;
    }
    case 'answer':
      world.latest(action.key, action.but)?.settle(null);
      break;
    case 'refuse':
      world.latest(action.key, action.but)?.settle(action.failure());
      break;
    case 'become': {
      const { key, domain, who, told } = action;
      const uuid =
        who === 'same' ? world.uuidOf(key) : who === 'twin' ? world.uuidOf(key === DSM ? 'other' : DSM) : null;
      world.become(key, domain && { ...domain, uuid: uuid ?? world.newUuid() }, told);
      break;
    }
    case 'link':
      world.link(action.there, action.first);
      break;
    case 'stick':
      world.stick(action.stuck);
      break;
    case 'broker':
      world.connect(action.there, action.soon);
      break;
    case 'again':
      world.again();
      break;
    case 'grant':
      world.grant();
      break;
    case 'rebooted':
      world.rebooted(action.key);
      break;
    case 'examine':
      world.examine(action.key, action.verdict);
      break;
    case 'ports':
      world.ports = action.open;
      break;
    case 'simple':
      world.simple('well');
      break;
    case 'write':
      world.write();
      break;
  }
}
