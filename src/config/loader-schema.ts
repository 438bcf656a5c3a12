import { z } from 'zod';
import { addressFault } from './formats.ts';
import { checked, port, text } from './kinds.ts';
import {
  diskIdxMapFault,
  extensionFault,
  hostKeyFault,
  imageFault,
  platformFault,
  sataPortMapFault,
} from './loader-formats.ts';

/** The keys of `vms[].loader`. */

const sataMap = z.strictObject({
  SataPortMap: checked(sataPortMapFault).describe('In quotes: a digit for each SATA controller, its ports.'),
  DiskIdxMap: checked(diskIdxMapFault).describe(
    'In quotes: two hex digits for each SATA controller, the first slot of its disks.',
  ),
});

const ssh = z.strictObject({
  host: checked(addressFault)
    .optional()
    .meta({
      description: "Name or IPv4 address of the loader while it builds. Default: found as DSM's address is.",
      examples: ['192.168.1.21'],
    }),
  port: port.default(22).describe("Port of the loader's SSH server."),
  user: text.default('tc').describe('User of the loader, one who may become root without a password.'),
  password: text.optional().meta({ description: "Password of that user. Default: the loader's own.", writeOnly: true }),
  password_file: text.optional().describe('File to read the password from, instead of `password`.'),
  private_key_file: text.optional().describe('Private key to log in with, OpenSSH or PEM, without a passphrase.'),
  host_key: checked(hostKeyFault)
    .prefault('accept-new')
    .describe(
      "Fingerprint of the loader's host key, SHA256:…; accept-new: whatever it is at a boot's first connection.",
    ),
});

export const loader = z.strictObject({
  kind: z.enum(['tcrp']).default('tcrp').describe('The loader: TinyCore RedPill.'),
  model: text.meta({ description: 'Model that DSM takes the VM for.', examples: ['DS918+'] }),
  platform: checked(platformFault).meta({
    description: 'What the loader is built for, by its own id: model, DSM version and build.',
    examples: ['ds918p-7.1.1-42962'],
  }),
  upgrade: z
    .enum(['never', 'full'])
    .default('never')
    .describe('full upgrades the loader itself before it builds; never builds with the one that is there.'),
  extensions: z
    .array(checked(extensionFault))
    .default([])
    .describe('URLs of extensions to build in, each of an rpext-index.json.'),
  keep_identity: z.boolean().default(true).describe('Serial number and MACs stay what they are; false makes new ones.'),
  sata_map: z
    .union([z.enum(['auto']), sataMap])
    .default('auto')
    .describe(
      "Where DSM looks for its disks: auto works it out from the VM's controllers, and refuses when it is not sure; or both maps by hand.",
    ),
  image: checked(imageFault)
    .prefault('volume')
    .describe("How the loader's image is reached: volume, by libvirt's storage volumes; or its path on this machine."),
  transient_pool: z
    .boolean()
    .default(false)
    .describe("With `image: volume`: make a storage pool of the image's folder, while it is needed, if none has it."),
  ssh: ssh.prefault({}).describe('How the loader is reached while it builds.'),
  on_failure: z
    .enum(['ask', 'auto'])
    .default('ask')
    .describe('After a failure ask waits for the command rollback; auto rolls back by itself.'),
  backup_dir: text
    .optional()
    .describe('Directory of the copies that are made before a rebuild. Default: loader-backups in data_dir.'),
  keep_backups: z.int().min(1).max(100).default(5).describe('How many of these copies are kept, the newest ones.'),
});

export type RawLoader = z.output<typeof loader>;
