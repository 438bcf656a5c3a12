import * as z from 'zod';
import { checked, maybe, text, together } from './kinds.ts';
import { diskById, mac, size } from './rules/formats.ts';
import { createDiskRule } from './rules/sections.ts';

/** The keys of `vms[].create`. */

/** Bytes. */
const amount = checked(size).transform(words => {
  const power = { M: 20, G: 30, T: 40 }[words.at(-3) ?? ''] ?? 0;
  return Number.parseInt(words, 10) * 2 ** power;
});

const disk = z
  .strictObject({
    by_id: maybe(checked(diskById)).describe("A whole disk of libvirt's machine, by its lasting name."),
    contains_data: maybe(z.enum(['dsm_migration', 'erase'])).describe(
      'What is on that disk: dsm_migration, a DSM that the installer takes over; erase, what may be destroyed. Needs serial.',
    ),
    serial: maybe(text).meta({ description: 'Its serial number, a proof that it is meant.', writeOnly: true }),
    pool: maybe(text).describe('A storage pool of libvirt, in which a new volume is made.'),
    size: maybe(amount).describe('Size of that volume: 100GiB.'),
    name: maybe(text).describe("Its name. Default: the VM's id and the number of the disk, DSM-1.img."),
  })
  .check(together(createDiskRule));

export const create = z.strictObject({
  memory: amount.describe('Memory of the VM: 4GiB.'),
  vcpus: z.int().min(1).max(64).default(2).describe('Its virtual CPUs.'),
  firmware: z
    .enum(['uefi', 'bios'])
    .default('uefi')
    .describe('uefi without Secure Boot, or bios: what the image is for.'),
  bridge: text.describe("The bridge of libvirt's machine that its NIC is on."),
  mac: maybe(checked(mac)).describe(
    'MAC of its NIC. Default: 52:54:00 and what follows from the names of host and domain.',
  ),
  image: maybe(text).describe(
    "Path of the loader's image on libvirt's machine. Default: loader.image, if that is a path.",
  ),
  disks: z.array(disk).min(1, 'must name at least one disk').max(25).describe("DSM's disks, in their order."),
});
