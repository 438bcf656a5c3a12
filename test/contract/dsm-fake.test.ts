import { readdirSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { FakeDsm } from '../fakes/dsm/fake.ts';
import { scenarioFolder, scenarioNames } from '../fakes/dsm/scenario.ts';
import { dsmContract } from './dsm.ts';

const dsm = await FakeDsm.listen();
afterAll(() => dsm.close());

test('the scenarios are the folders', () => {
  expect(readdirSync(scenarioFolder).sort()).toEqual([...scenarioNames]);
});

const own = dsm.address.replace(/\d+$/, last => String((Number(last) % 254) + 1));

dsmContract({
  name: 'the fake',
  address: dsm.address,
  mac: '52:54:00:d5:30:01',
  port: port => dsm.port(port),
  serve: scenario => dsm.serve(scenario),
  requests: async () => dsm.requests,
  own,
  ears: [own],
  secure: true,
});
