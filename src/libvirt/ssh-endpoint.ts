/** A machine whose libvirt socket is reached by SSH. Dialling it is for whoever has an SSH client. */
export interface SshEndpoint {
  transport: 'ssh';
  host: string;
  port: number;
  user: string;
  /** The private key, without a passphrase. */
  keyFile: string;
  /** In OpenSSH's format; the host must be in it. */
  knownHosts: string;
}
