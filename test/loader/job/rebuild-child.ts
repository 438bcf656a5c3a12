/** The bridge of `loader-world.ts` as a process of its own, to be killed. Its configuration comes as JSON. */
import { main } from '../../../src/app/run.ts';
import { silent } from '../../../src/util/logger.ts';
import { tuning } from './loader-tuning.ts';

await main(JSON.parse(process.argv[2] ?? ''), silent, tuning);
