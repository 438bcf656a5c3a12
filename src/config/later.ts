/** What is designed but not in this version: refused by name, so that nobody believes it is in force. */

/** By the path of the section, list indexes left out. */
export const laterKeys: Readonly<Record<string, readonly string[]>> = {
  '': ['health'],
  vms: ['loader'],
};

export const laterCommands: readonly string[] = ['rebuild', 'rollback'];

export const laterTransports: readonly string[] = ['tls', 'ssh', 'tcp', 'libssh', 'libssh2', 'ext'];
