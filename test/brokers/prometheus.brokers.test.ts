/** Debian's Prometheus, configured as docs/prometheus.md says, collects from a bridge of the real guest. */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cpuMetrics, diskMetrics, memoryMetrics, nicMetrics } from '../../src/model/metrics.ts';
import { type Json, setStage } from '../e2e/bridge.ts';
import { guest, poll } from '../lab/lab.ts';
import { BrokerProcess } from './process.ts';

const target = '127.0.0.1:8099';
/** In a row: a minute of them by VITEST_SCRAPES=60. */
const scrapes = Number(process.env['VITEST_SCRAPES'] ?? 5);
const pace = 'global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\nrule_files: [rules.yml]\n';

/** The page's blocks of this language, or its queries. */
async function documented(pattern: RegExp): Promise<string[]> {
  const page = await readFile(new URL('../../docs/prometheus.md', import.meta.url), 'utf8');
  return [...page.matchAll(pattern)].map(([, text = '']) => text);
}

test('Prometheus finds all of the table, has nothing to complain of, and knows the documented rules and queries', async () => {
  const [configuration = '', rules = ''] = await documented(/```yaml\n(.*?)```/gs);
  expect(configuration).toContain(target);
  await using prometheus = await BrokerProcess.make('prometheus', async ({ folder, port }) => {
    await writeFile(join(folder, 'prometheus.yml'), pace + configuration);
    await writeFile(join(folder, 'rules.yml'), rules);
    const options = [
      ...['--config.file=prometheus.yml', '--storage.tsdb.path=data', '--storage.tsdb.retention.time=1h'],
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    const line = `cd ${folder}; exec prometheus ${options.join(' ')}`;
    return { command: 'sh', args: ['-c', line], ready: 'Server is ready to receive web requests' };
  });
  await using _ = await setStage();
  await prometheus.start();
  const ask = async (path: string, parameters: Record<string, string> = {}): Promise<Json> => {
    const query = new URLSearchParams(parameters);
    const answer: Json = await (await fetch(`http://127.0.0.1:${prometheus.port}/api/v1/${path}?${query}`)).json();
    expect(answer, path).toMatchObject({ status: 'success' });
    return answer.data;
  };
  const query = async (text: string): Promise<number> =>
    Number((await ask('query', { query: text })).result[0]?.value[1] ?? Number.NaN);

  // Latencies are of what was read and written since the sample before.
  const busy =
    'dd if=/dev/sda of=/dev/null bs=1M count=4 iflag=direct; dd if=/dev/zero of=/dev/sda bs=1M count=4 conv=fsync';
  const tables = { cpu: cpuMetrics, memory: memoryMetrics, disk: diskMetrics, nic: nicMetrics };
  // QEMU counts no errors.
  const known = (table: object) => Object.keys(table).filter(key => key !== 'errors').length;
  const missing = async () => {
    await guest.run(`${busy} 2>/dev/null`);
    const names: string[] = await ask('label/__name__/values');
    return Object.entries(tables).flatMap(([group, table]) => {
      const found = names.filter(name => name.startsWith(`dsm2mqtt_vm_${group}_`));
      return found.length === known(table) ? [] : [[group, ...found]];
    });
  };
  await expect.poll(missing, { interval: 500 }).toEqual([]);
  await poll(async () => (await query('count_over_time(up[1h])')) >= scrapes, { what: `${scrapes} scrapes` });
  expect(await query('min_over_time(up{job="dsm2mqtt"}[1h])')).toBe(1);
  expect(await query('dsm2mqtt_vm_state{vm="DSM",state="running"}')).toBe(1);
  expect(await query('dsm2mqtt_vm_disk_read_bytes_total{vm="DSM",disk="sda"}')).toBeGreaterThan(4 * 2 ** 20);
  const { activeTargets } = await ask('targets');
  expect(activeTargets).toMatchObject([{ health: 'up', lastError: '', scrapeUrl: `http://${target}/metrics` }]);

  for (const text of await documented(/^\|.*\| `(.*)` \|$/gm)) await query(text);
  const { groups } = await poll(async () => {
    const all = await ask('rules');
    return all.groups[0]?.rules.every(({ health }: Json) => health !== 'unknown') && all;
  });
  expect(groups[0].rules.map(({ health }: Json) => health)).toEqual(Array(5).fill('ok'));

  const input = await (await fetch(`http://${target}/metrics`)).text();
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  expect([status, stdout, stderr]).toEqual([0, '', '']);
  expect(prometheus.log.split('\n').filter(line => /level=(warn|error)/i.test(line))).toEqual([]);
});
