import type { Config } from '../config/config.ts';
import { FolderInUse, main, type RunningBridge } from '../main.ts';
import { createLogger } from '../util/pino.ts';
import { version } from '../version.ts';

/** `dsm2mqtt run`: the bridge, until SIGTERM or SIGINT. Resolves to the exit code: 1 if another bridge is in the way. A second signal ends it at once. */
export async function run(config: Config): Promise<number> {
  const logger = createLogger(config.log);
  logger.info(
    { event: 'bridge.starting', version, instance: config.instance, node: process.versions.node },
    'dsm2mqtt',
  );
  const stopping = new Promise<NodeJS.Signals>(resolve => {
    let signals = 0;
    const stop = (signal: NodeJS.Signals) => {
      signals += 1;
      if (signals > 1) process.exit(1);
      resolve(signal);
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
  let bridge: RunningBridge;
  try {
    bridge = await main(config, logger);
  } catch (error) {
    if (!(error instanceof FolderInUse)) throw error;
    logger.error({ event: 'bridge.refused', reason: error.message }, 'not started');
    return 1;
  }
  const ending = await Promise.race([stopping, bridge.refused.then(reason => ({ reason }))]);
  if (typeof ending === 'string') {
    logger.info({ event: 'bridge.stopping', signal: ending }, 'stopping; the VMs are left as they are');
  } else {
    logger.error({ event: 'bridge.refused', reason: ending.reason }, 'stopping');
  }
  await bridge.close();
  logger.info({ event: 'bridge.stopped' }, 'stopped');
  return typeof ending === 'string' ? 0 : 1;
}
