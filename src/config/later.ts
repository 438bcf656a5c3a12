/** What is designed but not in this version: refused by name, so that nobody believes it is in force. */

export const laterTransports: readonly string[] = ['tls', 'ssh', 'tcp', 'libssh', 'libssh2', 'ext'];
