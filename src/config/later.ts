/** What is designed but not in this version: refused by name, so that nobody believes it is in force. */

/** By the path of the section, list indexes left out. */
export const laterKeys: Readonly<Record<string, readonly string[]>> = {
  '': ['health'],
  vms: ['address', 'expected', 'checks', 'loader'],
  'vms.shutdown': ['method', 'resend_every', 'max_presses', 'on_timeout'],
};

export const laterCommands: readonly string[] = [
  ...['cancel', 'check', 'refresh', 'reboot', 'suspend', 'resume', 'reset', 'force_off'],
  ...['rebuild', 'rollback', 'screenshot', 'autostart'],
];

export const laterTransports: readonly string[] = ['tls', 'ssh', 'tcp', 'libssh', 'libssh2', 'ext'];
