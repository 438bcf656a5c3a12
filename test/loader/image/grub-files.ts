import type { GrubEnv } from '../../../src/loader/image/grub/env.ts';

/** Menus and environment blocks as loaders have them. */

export const usb = 'RedPill DS918+ v7.1.1-42962 (USB, Verbose)';
export const sata = 'RedPill DS918+ v7.1.1-42962 (SATA, Verbose)';
export const builder = 'Tiny Core Image Build';
export const friend = 'Tiny Core Friend';

const entry = (title: string) => `menuentry '${title}' {
  savedefault
  search --set=root --fs-uuid 6234-C863 --hint hd0,msdos3
  echo Loading Linux...
  linux /vmlinuz64 loglevel=3 cde default="7"
  initrd /corepure64.gz
}
`;

/** A loader that remembers what it started last; `first` and `second` are its two `default` lines. */
export function tcrpConfig({
  first = '"0"',
  second = `"\${saved_entry}"`,
  entries = [usb, sata, builder, friend],
}: {
  first?: string;
  second?: string;
  entries?: readonly string[];
} = {}): string {
  return `# set default="9"
if serial --unit=0 --speed=115200; then
    terminal_output --append serial_com0
fi
set default=${first}
set timeout="5"
if [ -s $prefix/grubenv ]; then
    load_env --file $prefix/grubenv --skip-sig
    set has_env="1"
    if [ -n "\${saved_entry}" ]; then
        set default=${second}
    fi
else
    set has_env="0"
    echo "WARN: no environment; nothing is remembered"
fi
function savedefault {
    saved_entry="\${chosen}"
    save_env --file $prefix/grubenv saved_entry
}
if loadfont \${prefix}/unicode.pf2
then
    insmod gfxterm
    terminal_output gfxterm
fi

${entries.map(entry).join('\n')}`;
}

/** One that starts an entry once, by its id. */
export const onceConfig = `
if [ -s $prefix/grubenv ]; then load_env; fi
if [ "\${next_entry}" ]; then
  set default="\${next_entry}"
  set next_entry=
  save_env next_entry
else
  set default="boot"
fi
menuentry "Boot DSM" --class arch --id boot { linux /bzImage }
menuentry "Configure loader" --id=config { linux /bzImage }
submenu 'More' --id more {
  menuentry 'Deep' --id deep { true }
}
menuentry 'Junior' $menuentry_id_option 'junior' { true; }
`;

export function env(values: Record<string, string>): GrubEnv {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}
