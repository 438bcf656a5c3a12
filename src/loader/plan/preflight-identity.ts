import { type Finding, type PreflightFacts, refuse, tell, warn } from './finding.ts';

/** Whether serial number and MACs can stay what they are, by the configuration that the image builder will start with. */
export function identityFindings({ config, keepIdentity, upgrade, installed }: PreflightFacts): readonly Finding[] {
  // Nothing of it is kept; or there is no image to look into, which is told elsewhere.
  if (config === null || (!keepIdentity && upgrade === 'full')) return [];
  if ('why' in config) {
    const message = `The image builder's configuration, with serial number and MACs, could not be looked at. ${config.why}`;
    const advice = 'The rebuild ends in the image builder, before it changes anything there, if they cannot be kept.';
    return [warn('config_unknown', message, advice)];
  }
  if ('problem' in config) return [refuse(config.problem.code, config.problem.message, config.problem.advice)];
  return config.complete || !keepIdentity ? [] : [made(installed !== null)];
}

/** An earlier rebuild that failed may have left a fresh configuration behind. */
function made(installed: boolean): Finding {
  const message = 'The image builder has no serial number, or no MAC, to be kept: what is missing is made anew';
  if (!installed) return tell('identity_made', `${message}.`);
  const advice =
    '`rollback` first if a rebuild failed before; or write both into user_config.json in the image builder.';
  return warn('identity_made', `${message}, though a DSM is installed.`, advice);
}
