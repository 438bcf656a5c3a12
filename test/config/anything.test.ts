import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ConfigError, renderProblems } from '../../src/config/problem.ts';
import { jsonSchema, leafPaths, type Shape } from '../../src/config/shape.ts';
import { withValueAt } from '../../src/config/value.ts';
import { load } from './harness.ts';

/** Something of about the right shape: each key perhaps there, perhaps right. */
function roughly(shape: Shape): fc.Arbitrary<unknown> {
  const right: fc.Arbitrary<unknown> = shape.anyOf
    ? fc.oneof(...shape.anyOf.map(roughly))
    : shape.properties
      ? fc.record(Object.fromEntries(Object.entries(shape.properties).map(([key, child]) => [key, roughly(child)])), {
          requiredKeys: [],
        })
      : shape.items
        ? fc.array(roughly(shape.items), { maxLength: 4 })
        : shape.type === 'boolean'
          ? fc.boolean()
          : shape.type === 'integer'
            ? fc.oneof(fc.integer(), fc.double(), fc.constantFrom(shape.default, '3'))
            : fc.oneof(fc.string(), fc.constantFrom(shape.default, shape.examples?.[0], shape.enum?.[0]));
  return fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
}

const slips = /undefined|nan|\[object|invalid input/i;

async function loadsOrTells(text: string): Promise<void> {
  try {
    const config = await load(text);
    expect(config.vms.length + config.templates.length).toBeGreaterThan(0);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { problems } = error as ConfigError;
    expect(problems.length).toBeGreaterThan(0);
    // What was written is quoted, whatever it was.
    // One of the events has that name.
    const told = renderProblems(problems).replaceAll(' undefined,', '');
    if (!slips.test(text)) expect(told).not.toMatch(slips);
  }
}

test.each([
  ['any JSON', fc.json()],
  ['any text', fc.string({ unit: 'binary', maxLength: 200 })],
  [
    'any text of YAML letters',
    fc.string({ unit: fc.constantFrom(...'ab:- \n\t#&*!|>\'"%@`{}[],?<~0.'), maxLength: 60 }),
  ],
  ['nearly a configuration', roughly(jsonSchema).map(value => stringify(value))],
])('%s is taken or refused with reasons', async (_, text) => {
  await fc.assert(fc.asyncProperty(text, loadsOrTells), { numRuns: 200 });
});

test('what is no text anywhere, not even as a text, is refused with reasons', async () => {
  const base = { mqtt: { url: ['mqtt://a'] }, libvirt: [{ name: 'a' }, { name: 'b' }], vms: [{ domain: 'DSM' }] };
  for (const path of leafPaths()) {
    for (const at of [path, [...path, 0]]) await loadsOrTells(stringify(withValueAt(base, at, { toString: 0 })));
  }
});
