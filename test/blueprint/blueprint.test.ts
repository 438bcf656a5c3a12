import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { isInvalid, parseCommand } from '../../src/model/command.ts';
import { domainStates } from '../../src/model/domain.ts';
import { evaluate } from './template.ts';

const file = new URL('../../blueprints/automation/dsm2mqtt/ups-shutdown.yaml', import.meta.url);
const text = readFileSync(file, 'utf8');
const guide = readFileSync(new URL('../../docs/ups.md', import.meta.url), 'utf8');

class Input {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

interface Definition {
  name: string;
  description?: string;
  default?: unknown;
  selector: Record<string, { min?: number; max?: number } | null>;
}

interface Trigger {
  trigger: string;
  value_template: string;
}

interface Blueprint {
  blueprint: {
    name: string;
    domain: string;
    description: string;
    homeassistant: { min_version: string };
    input: Record<string, { input: Record<string, Definition> }>;
  };
  triggers: Trigger[];
  trigger_variables: Record<string, unknown>;
}

const { blueprint: about, ...automation }: Blueprint = parse(text, {
  merge: true,
  customTags: [{ tag: '!input', resolve: (name: string) => new Input(name), identify: () => false }],
});
const inputs: Record<string, Definition> = Object.assign({}, ...Object.values(about.input).map(({ input }) => input));
const parts = [...walk(automation)];
const steps = parts.filter(isStep);

describe('the blueprint', () => {
  test('says what it needs', () => {
    expect(about).toMatchObject({ domain: 'automation', homeassistant: { min_version: '2025.10.0' } });
    expect(about.name.length).toBeGreaterThan(10);
    expect(about.description).toContain('dsm2mqtt');
  });

  test('uses every input, and none that it does not have', () => {
    const used = parts.flatMap(part => (part instanceof Input ? [part.name] : []));
    expect([...new Set(used)].toSorted()).toEqual(Object.keys(inputs).toSorted());
  });

  test('asks only for the UPS and the machine', () => {
    const needed = Object.entries(inputs).filter(([, { default: value }]) => value === undefined);
    expect(needed.map(([name]) => name)).toEqual(['ups_status', 'vm_state']);
  });

  test.each(Object.entries(inputs))(
    '%s has a name, a selector, a default that fits, and a line in the guide',
    (name, input) => {
      expect(input.name).toBeTruthy();
      const [[kind, options] = [], ...more] = Object.entries(input.selector);
      expect(more).toEqual([]);
      expect(guide).toMatch(new RegExp(`^\\| ${input.name} \\|`, 'm'));
      if (kind === 'number') {
        expect(input.default).toBeGreaterThanOrEqual(options?.min ?? Number.NaN);
        expect(input.default).toBeLessThanOrEqual(options?.max ?? Number.NaN);
      } else if (kind === 'boolean') expect(input.default).toBeTypeOf('boolean');
      else if (kind === 'action') expect(input.default).toBeInstanceOf(Array);
      else expect(['entity', 'text'], name).toContain(kind);
    },
  );

  test('is written as Home Assistant writes automations today', () => {
    expect(Object.keys(automation)).toEqual(
      expect.arrayContaining(['mode', 'triggers', 'actions', 'variables', 'trigger_variables']),
    );
    const keys = steps.flatMap(step => Object.keys(step));
    for (const old of ['platform', 'service', 'data_template', 'service_template', 'condition_template']) {
      expect(keys).not.toContain(old);
    }
  });

  test('cuts no power unless it is chosen', () => {
    expect(inputs['power_cut']?.default).toBe(false);
    const cuts = steps.filter(({ sequence }) =>
      JSON.stringify((Array.isArray(sequence) && sequence[0]) || '').includes('force_off'),
    );
    expect(cuts.map(({ conditions }) => conditions?.[0])).toEqual(['{{ power_cut }}']);
  });

  test('knows the states that the bridge has', () => {
    const named = [...text.matchAll(/is_state\(vm, '(\w+)'\)/g), ...text.matchAll(/states\(vm\) in \[([^\]]+)\]/g)];
    const words = named.flatMap(([, list = '']) => list.match(/\w+/g) ?? []);
    expect(words.length).toBeGreaterThan(8);
    for (const word of words) expect(domainStates).toContain(word);
  });
});

describe('what it publishes', () => {
  const published = steps.flatMap(({ action, data }) => (action === 'mqtt.publish' && data ? [data] : []));
  const names = { mark: 'ups', id: 'ups-1795386385', deadline: 240 };
  const sent = published.map(data =>
    String(evaluate(data.payload.replace("id ~ '-cut'", 'id'), names, { states: {} })),
  );

  test('is understood by the bridge, with the mark', () => {
    const commands = sent.map(payload => parseCommand('command', payload));
    expect(commands.filter(isInvalid)).toEqual([]);
    expect(commands).toMatchObject([
      { word: 'shutdown', by: 'ups', timeout: 240_000 },
      // A power cut that leaves a DSM alone which is being updated.
      { word: 'shutdown', by: 'ups', timeout: 60_000, onTimeout: 'force_off' },
      { word: 'start', by: 'ups' },
    ]);
  });

  test('is never stored, and only a shutdown may arrive late', () => {
    expect(published.map(({ retain, qos = 0 }) => ({ retain, qos }))).toEqual([{ qos: 1 }, { qos: 0 }, { qos: 0 }]);
  });
});

type Meaning = 'urgent' | 'battery' | 'mains' | 'neither';

describe('what a UPS says', () => {
  const triggers = automation.triggers.filter(({ trigger }) => trigger === 'template');
  const waits = steps.flatMap(({ wait_template: wait }) => (wait?.includes('says_') ? [wait] : []));
  const says = automation.trigger_variables;
  const plain = { ...says, ups: 'ups', charge: '', runtime: '', charge_below: 0, runtime_below: 0, charge_from: 50 };

  test.each<[Meaning, string[]]>([
    [
      'mains',
      ['OL', 'OL CHRG', 'OL TRIM', 'OL BOOST', 'OL BYPASS', 'OL DISCHRG', 'ALARM OL RB', 'OL TEST', 'OL HB', 'OL OVER'],
    ],
    ['battery', ['OB', 'OB DISCHRG', 'ALARM OB', 'OB RB', 'OB OVER', 'OL OB']],
    ['urgent', ['OB LB', 'OB DISCHRG LB', 'LB OB', 'FSD', 'FSD OB LB', 'FSD OL', 'OL FSD CHRG']],
    ['neither', ['OL LB', 'LB', 'CAL OB', 'CAL OB LB', 'OL CAL', 'OFF', 'BYPASS', 'WAIT', 'ALARM', 'RB']],
    ['mains', ['Online', 'Online, Battery Charging', 'Online, Battery Needs Replacement']],
    ['battery', ['On Battery', 'On Battery, Battery Discharging']],
    ['urgent', ['On Battery, Battery Discharging, Low Battery', 'Forced Shutdown, On Battery']],
    [
      'neither',
      ['Online, Low Battery', 'Runtime Calibration, On Battery', 'Offline', 'Battery Charging', 'High Battery'],
    ],
    ['mains', ['ONLINE', 'TRIM ONLINE', 'BOOST ONLINE', 'ONLINE REPLACEBATT', 'ONLINE OVERLOAD', 'ONLINE SLAVE']],
    ['battery', ['ONBATT', 'ONBATT OVERLOAD', 'ONBATT REPLACEBATT']],
    ['urgent', ['ONBATT LOWBATT', 'SHUTTING DOWN', 'ONBATT LOWBATT OVERLOAD']],
    ['neither', ['COMMLOST', 'ONBATT COMMLOST', 'ONBATT LOWBATT COMMLOST', 'ONLINE COMMLOST', 'CAL ONBATT', 'NOBATT']],
    ['neither', ['unavailable', 'unknown', '', 'none', '100', 'KNOB', 'OLD', 'on', 'off']],
  ])('%s: %j', (meaning, statuses) => {
    for (const ups of statuses) {
      const home = { states: { ups } };
      expect([ups, reading(home)]).toEqual([ups, meaning]);
      expect([ups, ...waits.map(wait => Boolean(evaluate(wait, plain, home)))]).toEqual([
        ups,
        // Waiting whether it stays on battery, and is not urgent; whether mains stays.
        meaning !== 'battery',
        meaning !== 'mains',
      ]);
    }
  });

  test.each<[Meaning, string, Record<string, string>, string?]>([
    ['battery', 'OB', { charge: '30', runtime: '120' }],
    ['urgent', 'OB', { charge: '29.9', runtime: '120' }],
    ['urgent', 'OB', { charge: '0', runtime: '120' }],
    ['urgent', 'OB', { charge: '90', runtime: '119' }],
    ['urgent', 'OB', { charge: '90', runtime: '1.9' }, 'min'],
    ['battery', 'OB', { charge: '90', runtime: '2' }, 'min'],
    ['battery', 'OB', { charge: '90', runtime: '1' }, 'h'],
    ['battery', 'OB', { charge: 'unavailable', runtime: 'unknown' }],
    ['neither', 'OL', { charge: '10', runtime: '60' }],
    ['neither', 'OL', { charge: 'unavailable', runtime: '600' }],
    ['mains', 'OL', { charge: '50', runtime: '60' }],
    ['neither', 'CAL OB', { charge: '10', runtime: '60' }],
  ])('%s: %s with %j %s', (meaning, ups, states, unit = 's') => {
    const names = { ...plain, charge: 'charge', runtime: 'runtime', charge_below: 30, runtime_below: 120 };
    expect(reading({ states: { ups, ...states }, units: { runtime: unit } }, names)).toBe(meaning);
  });

  const lasts = { states: { ups: 'OL', runtime: '420' }, takes: 240 };
  test.each<[what: string, home: Parameters<typeof evaluate>[2], warns: boolean]>([
    ['it lasts', lasts, false],
    ['a second is missing', { ...lasts, takes: 241 }, true],
    ['in minutes, and it lasts', { ...lasts, states: { ups: 'OL', runtime: '7' }, units: { runtime: 'min' } }, false],
    [
      'in minutes, and it does not',
      { ...lasts, states: { ups: 'OL', runtime: '6.9' }, units: { runtime: 'min' } },
      true,
    ],
    ['nobody knows what a shutdown takes', { ...lasts, states: { ups: 'OL', runtime: '1' }, takes: null }, false],
    ['nobody knows the runtime', { ...lasts, states: { ups: 'OL', runtime: 'unknown' } }, false],
    ['it is on battery already', { ...lasts, states: { ups: 'OB', runtime: '1' } }, false],
    ['it calibrates', { ...lasts, states: { ups: 'OL CAL', runtime: '1' } }, false],
  ])('whether the battery would last: %s', (_, home, warns) => {
    const names = { ...plain, runtime: 'runtime', vm: 'vm', on_battery_for: 60, host_shutdown: 60, margin: 60 };
    expect(evaluate(triggers[3]?.value_template ?? '', names, home)).toBe(warns);
    expect(evaluate(triggers[3]?.value_template ?? '', { ...names, runtime: '' }, home)).toBe(false);
  });

  function reading(home: Parameters<typeof evaluate>[2], names: Record<string, unknown> = plain): Meaning {
    const [battery, now, mains] = triggers.map(one => evaluate(one.value_template, names, home));
    expect(now && !battery).toBe(false);
    expect(mains && battery).toBe(false);
    if (now) return 'urgent';
    if (battery) return 'battery';
    return mains ? 'mains' : 'neither';
  }
});

interface Step {
  action?: string;
  data?: { payload: string; qos?: number; retain?: boolean };
  sequence?: unknown[];
  conditions?: unknown[];
  wait_template?: string;
}

function* walk(part: unknown): Generator<unknown> {
  yield part;
  if (part instanceof Input) return;
  for (const inner of typeof part === 'object' && part ? Object.values(part) : []) yield* walk(inner);
}

/** Any mapping of the document. */
function isStep(part: unknown): part is Step {
  return typeof part === 'object' && part !== null && !Array.isArray(part) && !(part instanceof Input);
}
