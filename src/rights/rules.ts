import { asRoot, type Right, shown } from './needs.ts';

/** The rights as a file of rules for polkit, with what to do with it in comments. Pure. */

export interface RulesOptions {
  user: string;
  /** Whom libvirt obeys in all, as it does without the rules. */
  groups: readonly string[];
  readOnly: boolean;
  rights: readonly Right[];
}

export function rulesFile({ user, groups, readOnly, rights }: RulesOptions): string {
  const storage = rights.some(({ permission }) => permission.startsWith('storage'));
  const root = rights.filter(({ permission }) => asRoot.has(permission));
  const files = ['libvirtd.conf', 'virtqemud.conf', ...(storage ? ['virtstoraged.conf'] : [])];
  return `${[
    `// What dsm2mqtt's configuration needs of libvirt, for the user ${user}. Made by \`dsm2mqtt polkit\`: when the`,
    '// configuration changes, make it anew.',
    '//',
    '// 1. Save it as /etc/polkit-1/rules.d/40-dsm2mqtt.rules, for root to write and polkitd to read.',
    `// 2. In /etc/libvirt/${files[0]}; with modular daemons in ${files.slice(1).join(' and ')}, each has its own:`,
    '//',
    `//        auth_unix_${readOnly ? 'ro' : 'rw'} = "polkit"`,
    '//        access_drivers = [ "polkit" ]',
    '//',
    '//    and restart the daemon. From then on each call of each client is asked about: root may do all, others only',
    `//    read${groups.length > 0 ? '' : ', unless `--group` names their group'}.`,
    `// 3. ${user} must get to the socket. systemd makes it with SocketMode=0666; without systemd:`,
    '//',
    `//        unix_sock_${readOnly ? 'ro' : 'rw'}_perms = "0777"`,
    '//',
    '// 4. `dsm2mqtt check-config --rights`, run as that user, asks libvirt whether all is allowed.',
    ...root.map(
      right =>
        `// ROOT: whoever has ${right.permission} is root on this machine all the same. It is for: ${right.for.join(', ')}.`,
    ),
    '',
    `var user = ${JSON.stringify(user)};`,
    `var groups = ${JSON.stringify(groups)};`,
    'var rights = [',
    ...rights.map(line),
    '];',
    '',
    'polkit.addRule(function (action, subject) {',
    '  if (action.id.indexOf("org.libvirt.") !== 0) return polkit.Result.NOT_HANDLED;',
    '  if (subject.user !== user) {',
    '    var obeyed = groups.some(function (group) { return subject.isInGroup(group); });',
    '    return obeyed ? polkit.Result.YES : polkit.Result.NOT_HANDLED;',
    '  }',
    `  if (action.id === "org.libvirt.unix.${readOnly ? 'monitor' : 'manage'}") return polkit.Result.YES;`,
    '  // libvirt lets everybody read.',
    `  if (${shown}.test(action.id)) return polkit.Result.NOT_HANDLED;`,
    '  var may = rights.some(function (right) {',
    '    if (action.id !== "org.libvirt.api." + right.permission) return false;',
    '    return Object.keys(right.on).every(function (detail) {',
    '      var wanted = right.on[detail], given = action.lookup(detail);',
    '      return wanted instanceof RegExp ? wanted.test(given) : wanted === given;',
    '    });',
    '  });',
    '  return may ? polkit.Result.YES : polkit.Result.NO;',
    '});',
  ].join('\n')}\n`;
}

function line({ permission, on, for: uses }: Right): string {
  const details = Object.entries(on).map(
    ([detail, value]) => `${detail}: ${value instanceof RegExp ? value : JSON.stringify(value)}`,
  );
  const match = details.length > 0 ? `{ ${details.join(', ')} }` : '{}';
  return `  { permission: "${permission}", on: ${match} }, // ${uses.join(', ')}`;
}
