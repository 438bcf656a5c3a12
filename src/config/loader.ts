import * as z from 'zod';
import { password, sshKey } from './files.ts';
import { checked, file, list, maybe, port, text, together } from './kinds.ts';
import {
  addon,
  address,
  diskIdxMap,
  extensionUrl,
  hostKey,
  image,
  platform,
  sataPortMap,
  updateFile,
} from './rules/formats.ts';
import { loaderRule, passwordRule } from './rules/sections.ts';

/** The keys of `vms[].loader`. */

const sataMap = z
  .strictObject({
    SataPortMap: checked(sataPortMap).describe('In quotes: a digit for each SATA controller, its ports.'),
    DiskIdxMap: checked(diskIdxMap).describe(
      'In quotes: two hex digits for each SATA controller, the first slot of its disks.',
    ),
  })
  .superRefine(({ SataPortMap: ports, DiskIdxMap: slots }, context) => {
    if (sataPortMap(ports) || diskIdxMap(slots) || slots.length === 2 * ports.length) return;
    const message = `must have two digits for each one of SataPortMap: ${2 * ports.length}, not ${slots.length}`;
    context.addIssue({ code: 'custom', message, path: ['DiskIdxMap'] });
  });

const ssh = z
  .strictObject({
    host: maybe(
      checked(address).meta({
        description: "Name or IPv4 address of the loader while it builds. Default: found as DSM's address is.",
        examples: ['192.168.1.21'],
      }),
    ),
    port: port.default(22).describe("Port of the loader's SSH server."),
    user: maybe(text).describe(
      "User of the loader, one who may become root without a password. Default: the loader's own.",
    ),
    password: maybe(text).meta({ description: "Password of that user. Default: the loader's own.", writeOnly: true }),
    password_file: maybe(file(password)).describe('File to read the password from, instead of `password`.'),
    private_key_file: maybe(file(sshKey)).describe('Private key to log in with, OpenSSH or PEM, without a passphrase.'),
    host_key: checked(hostKey)
      .transform(key => (key === 'accept-new' ? null : key))
      .prefault('accept-new')
      .describe(
        "Fingerprint of the loader's host key, SHA256:…; accept-new: whatever it is at a boot's first connection.",
      ),
  })
  .check(together(passwordRule))
  .transform(({ password_file, private_key_file, ...rest }) => ({
    ...rest,
    password: rest.password ?? password_file,
    private_key: private_key_file,
  }));

export const loader = z
  .strictObject({
    kind: z
      .enum(['auto', 'tcrp', 'rr'])
      .default('auto')
      .describe('The loader: tcrp is TinyCore RedPill, rr is RR; auto is what the image is.'),
    model: text.meta({ description: 'Model that DSM takes the VM for.', examples: ['DS918+'] }),
    platform: checked(platform).meta({
      description:
        "What the loader is built for: DSM's version and build, with or without the model in front; for RR also with the number of an update, 7.2.2-72806-3.",
      examples: ['ds918p-7.1.1-42962', '7.2.2-72806'],
    }),
    upgrade: z
      .enum(['never', 'full'])
      .default('never')
      .describe('full upgrades the loader itself before it builds; never builds with the one that is there.'),
    upgrade_zip: maybe(checked(updateFile)).describe(
      "With `upgrade: full`, of RR: path on this machine of an update.zip of RR's. Default: RR fetches its newest.",
    ),
    extensions: list(checked(extensionUrl))
      .prefault([])
      .describe('URLs of extensions to build in, each of an rpext-index.json. Of TinyCore RedPill.'),
    addons: list(checked(addon))
      .prefault([])
      .describe('Add-ons to build in, besides those that are configured: name, or name=parameter. Of RR.'),
    keep_identity: z
      .boolean()
      .default(true)
      .describe('Serial number and MACs stay what they are; false makes new ones.'),
    sata_map: z
      .union([z.enum(['auto']), sataMap])
      .default('auto')
      .describe(
        "Where DSM looks for its disks: auto works it out from the VM's controllers, and refuses when it is not sure; or both maps by hand.",
      ),
    image: checked(image)
      .prefault('volume')
      .describe(
        "How the loader's image is reached: volume, by libvirt's storage volumes; or its path on this machine.",
      ),
    transient_pool: z
      .boolean()
      .default(false)
      .describe("With `image: volume`: make a storage pool of the image's folder, while it is needed, if none has it."),
    ssh: ssh.prefault({}).describe('How the loader is reached while it builds.'),
    on_failure: z
      .enum(['ask', 'auto'])
      .default('ask')
      .describe('After a failure ask waits for the command rollback; auto rolls back by itself.'),
    backup_dir: maybe(text).describe(
      'Directory of the backups that are made before a rebuild. Default: loader-backups in data_dir.',
    ),
    keep_backups: z.int().min(1).max(100).default(5).describe('How many of these backups are kept, the newest ones.'),
  })
  .check(together(loaderRule))
  .transform(({ image: path, transient_pool, platform: id, ...rest }) => ({
    ...rest,
    platform: /^\d+\./.test(id) ? `${rest.model.toLowerCase().replaceAll('+', 'p')}-${id}` : id,
    image: path === 'volume' ? { way: 'volume' as const, transient_pool } : { way: 'path' as const, path },
  }));
