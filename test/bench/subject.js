/**
 * The bridge as `dsm2mqtt run` starts it, with a line to the benchmark that asks what it has used. Arguments: the
 * configuration file, and milliseconds between polls, which may be fewer than a configuration allows.
 *
 * Plain JavaScript, from `dist`: the compiler that Node loads for TypeScript would be in the memory that is measured.
 */

import { main } from '../../dist/app/run.js';
import { loadConfig } from '../../dist/config/load.js';
import { createLogger } from '../../dist/util/pino.js';
import { answer } from './usage.js';

const [, , file, interval] = process.argv;
const { config } = await loadConfig({ config: file, env: {} });
const libvirt = { ...config.libvirt, statsInterval: Number(interval) };
// Without the pause between off and start, of which nothing is to be measured.
await main({ ...config, libvirt }, createLogger({ ...config.log, destination: process.stdout }), { pause: 0 });
answer();
