/**
 * The bridge as `dsm2mqtt run` starts it, with a line to the benchmark that asks what it has used. Arguments: the
 * configuration file, and milliseconds between polls, which may be fewer than a configuration allows.
 *
 * It is bundled as the bridge is (index.ts).
 */

import { answer } from './usage.ts';

// In pieces and in the order in which src/cli loads it, so that as much of it is in memory.
await import('commander');
const { loadConfig } = await import('../../src/config/load.ts');

// It does not wait before it announces again; see `birthJitter`.
Math.random = () => 0;
const [, , file = '', interval] = process.argv;
const { config } = await loadConfig({ config: file, env: {} });
const { main } = await import('../../src/app/run.ts');
const { createLogger } = await import('../../src/util/pino.ts');
const { boundMemory } = await import('../../src/cli/run.ts');
boundMemory(config.vms.length);
const hosts = config.hosts.map(host => ({ ...host, statsInterval: Number(interval) }));
// Without the pause between off and start, of which nothing is to be measured.
await main({ ...config, hosts }, createLogger({ ...config.log, destination: process.stdout }), { pause: 0 });
answer();
