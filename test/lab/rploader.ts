/** What tests say to the stand-in for TCRP's `rploader.sh`, and its questions. */

export const platform = 'ds918p-7.1.1-42962';
export const questions = {
  update: 'Should i update the user_config.json with these values ? [Yy/Nn]',
  save: 'Should i update the sdc with your current files [Yy/Nn]',
} as const;
/** What a backup that was made says. */
export const good = 'Saving current user_config.json  -> OK !';

/** Where an extension's index is. */
export function extension(name: string): string {
  return `https://github.com/pocopico/redpill-load/raw/develop/redpill-${name}/rpext-index.json`;
}
