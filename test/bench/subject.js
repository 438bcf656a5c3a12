/**
 * The bridge as `dsm2mqtt run` starts it, with a line to the benchmark that asks what it has used. Arguments: the
 * configuration file, and milliseconds between polls, which may be fewer than a configuration allows.
 *
 * It is bundled as the bridge is (index.ts).
 */

import { main } from '../../src/app/run.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/util/pino.ts';
import { answer } from './usage.js';

// It does not wait before it announces again; see `birthJitter`.
Math.random = () => 0;
const [, , file, interval] = process.argv;
const { config } = await loadConfig({ config: file, env: {} });
const libvirt = { ...config.libvirt, statsInterval: Number(interval) };
// Without the pause between off and start, of which nothing is to be measured.
await main({ ...config, libvirt }, createLogger({ ...config.log, destination: process.stdout }), { pause: 0 });
answer();
