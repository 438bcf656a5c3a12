import { version } from '../util/version.ts';
import { useCompiledCode } from './start/cache.ts';
import { quickHealth } from './start/quick-health.ts';
import { outputFailed } from './terminal.ts';

/** Where every verb starts. It loads next to nothing: a health check runs every minute, and most often needs no more. */

const { argv, env, stderr, stdout } = process;

stdout.on('error', outputFailed);
// Using stderr turns its pipe into one that never blocks; Node's own warnings go there.
stderr.on('error', outputFailed);
void start();

async function start(): Promise<void> {
  const [verb, ...args] = argv.slice(2);
  const code = verb === 'health' ? await quickHealth(args, env, { stdout, stderr }) : null;
  if (code !== null) process.exitCode = code;
  else if (verb === '--version' && args.length === 0) stdout.write(`${version}\n`);
  else {
    // The young generation stays at 2 MiB, unless `run` has many VMs. Else it doubles up to 32, and V8 gives none of it back.
    process.getBuiltinModule('node:v8').setFlagsFromString('--semi-space-growth-factor=1');
    useCompiledCode(env);
    await import('./program.ts');
  }
}
