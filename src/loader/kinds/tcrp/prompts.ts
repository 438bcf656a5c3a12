import type { Prompt } from '../../adapter.ts';

/** Every question of rploader.sh that a rebuild meets, and its one right answer. They are read from standard input. */

/** After serialgen, identifyusb and satamap. */
export const updateConfig: Prompt = {
  name: 'update_config',
  pattern: /Should i update the user_config\.json with these values \? \[Yy\/Nn\]/,
  answer: 'y',
};

/** Asked for each SATA controller; ENTER takes the number that is proposed. */
export const overridePorts: Prompt = {
  name: 'override_ports',
  pattern: /Override # of ports or ENTER to accept <?\d{1,2}>?/,
  answer: '',
  times: 8,
};

/** At the end of `backup`. */
export const backUpHome: Prompt = {
  name: 'back_up_home',
  pattern: /Should i update the \w{1,16} with your current files \[Yy\/Nn\]/,
  answer: 'y',
};

/** The same at the end of `fullupgrade`: what came is proven first. */
export const keepLastStatus: Prompt = { ...backUpHome, name: 'keep_last_status', answer: 'n' };

/** With y, the build replaces the script and ends with exit code 0, without having built anything. */
export const selfUpdate: Prompt = {
  name: 'self_update',
  pattern: /There is a newer version of the script on the repo should we use that \? \[yY\/nN\]/,
  answer: 'n',
};

export const customModule: Prompt = {
  name: 'custom_module',
  pattern: /Found custom redpill module, do you want to use this instead \? \[yY\/nN\](?: :)?/,
  answer: 'n',
};
